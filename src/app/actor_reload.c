/*
 * The actor's part of SIGHUP: what was read goes to the core as an event and to the front end as an
 * entry of a batch. Must never take a setting from a reading that is not sound as a whole.
 */
#include "app/actor.h"

#include "app/notify.h"
#include "net/federation.h"
#include "net/front_end.h"

#include <string.h>

static void step_settings(actor_t *actor, const serve_options_t *fresh) {
    event_t event = {.kind = EVENT_SETTINGS};
    event.settings.limits = &fresh->realm_limits;
    event.settings.registration_open = fresh->registration_open;
    event.settings.accept_any = fresh->accept_any;
    engine_step(actor->engine, &event);
}

/* Pins what is new. A pin that contradicts another is left out and told; at the start it would have
 * been an error. */
static void pin_trusts(actor_t *actor, const serve_options_t *fresh) {
    engine_t *engine = actor->engine;
    for (size_t i = 0; i < fresh->trust_count; i++) {
        const trust_t *trust = &fresh->trusts[i];
        code_t code = state_trust(engine->state, &trust->name, trust->key, &engine->effects);
        if (code != CODE_OK) {
            log_event(LEVEL_WARN, "config-kept", "key", "trust", "name", trust->name.text, "reason",
                      engine_trust_reason(code), NULL);
        }
    }
}

static void tell_threads(actor_t *actor, const serve_options_t *fresh) {
    void *payload = batch_append(&actor->replies, FRONT_LIMITS, 0, 0, sizeof fresh->front_limits);
    memcpy(payload, &fresh->front_limits, sizeof fresh->front_limits);
    actor_send_replies(actor);
    (void)batch_append(&actor->sends, FED_ACCEPT, 0, fresh->accept_any ? 1 : 0, 0);
    actor_send_sends(actor);
}

size_t actor_take_reload(actor_t *actor) {
    serve_options_t fresh;
    problem_t problem = {""};
    if (!actor->reload_asked) {
        return 0;
    }
    actor->reload_asked = false;
    if (actor->phase != ACTOR_SERVING) {
        return 0;
    }
    if (actor->reload->started->config == NULL) {
        log_event(LEVEL_INFO, "reload", "reason", "no configuration file: nothing to reload", NULL);
        return 0;
    }
    notify_reloading();
    bool good = reload_read(actor->reload, &fresh, &problem);
    if (good) {
        reload_take(actor->reload, &fresh);
        step_settings(actor, &actor->reload->taken);
        pin_trusts(actor, &actor->reload->taken);
        tell_threads(actor, &actor->reload->taken);
    } else {
        log_event(LEVEL_ERROR, "config-broken", "reason", problem.text, "kept", "everything", NULL);
    }
    notify_ready(good ? "serving, with the configuration read anew"
                      : "serving, with the configuration as before: the new one is broken");
    return good ? 1 : 0;
}
