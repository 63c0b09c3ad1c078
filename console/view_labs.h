/* The screen Labs: the labs of the course with progress, the text of the step, its checks. What is
 * done is done by lua/prelude/course_screen.lua. */
#ifndef CCALAB_CONSOLE_VIEW_LABS_H
#define CCALAB_CONSOLE_VIEW_LABS_H

#include "console/view.h"

/* Show what lab._labs_screen() told, as JSON. Malformed text is said to be so. */
void view_labs_show(struct view *v, const char *json);

#endif
