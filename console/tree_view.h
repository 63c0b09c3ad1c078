/* A tree of texts that can be opened and closed. What is open is remembered by the nodes' names, so
 * that it stays so in the next tree of the same kind. Thread: main only. */
#ifndef CCALAB_CONSOLE_TREE_VIEW_H
#define CCALAB_CONSOLE_TREE_VIEW_H

#include "console/layout.h"
#include "console/list_view.h"
#include "console/theme.h"

#define TREE_VIEW_NODES  1024
#define TREE_VIEW_CLOSED 64

struct tree_node {
    int depth;
    const char *name, *text; /* borrowed until the next tree_view_set() */
};

struct tree_view {
    struct list_view list; /* of the visible nodes */
    struct tree_node node[TREE_VIEW_NODES];
    size_t n;
    uint16_t visible[TREE_VIEW_NODES];
    char closed[TREE_VIEW_CLOSED][48]; /* names; "": a free place */
};

/* `closed`: names of the nodes that are closed at first, ending with NULL. */
void tree_view_init(struct tree_view *t, const char *const *closed);
/* Another tree, parents before their children. The node of the selected name stays selected. */
void tree_view_set(struct tree_view *t, const struct tree_node *nodes, size_t n);
/* Select the first visible node of that name; false: there is none. */
bool tree_view_select(struct tree_view *t, const char *name);
/* The selected node's index, or -1 in an empty tree. */
int tree_view_selected(const struct tree_view *t);
/* Those of list_view_act(), ACTION_OPEN and ACTION_CLOSE (a closed one: go to its parent). */
bool tree_view_act(struct tree_view *t, enum action_id id);
void tree_view_draw(struct tree_view *t, WINDOW *win, const struct rect *r, bool has_focus);

#endif
