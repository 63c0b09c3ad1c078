#include "console/view.h"

#include <string.h>

const char *view_label(enum view_id id)
{
    static const char *const labels[] = {
#define X(id, name, label) [VIEW_##id] = label,
        CCALAB_VIEWS(X)
#undef X
    };

    return labels[id];
}

void view_init(struct view *v, const struct view_ops *ops, const struct view_env *env)
{
    memset(v, 0, sizeof *v);
    v->ops = ops;
    v->console = env->console;
    v->session = env->session;
}

int view_add(struct view *v, struct panel *p, int sized_by)
{
    v->panel[v->panels] = p;
    v->sized_by[v->panels] = (signed char)sized_by;
    p->is_dirty = true;
    return v->panels++;
}

int view_share(struct view *v, int share)
{
    v->share[v->shares] = v->first_share[v->shares] = share;
    return v->shares++;
}
