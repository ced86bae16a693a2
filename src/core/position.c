/*
 * Skips positions. Must never go back, nor beyond what six bytes hold.
 */
#include "position.h"

#include "mailbox.h"

bool position_load(state_t *state, const floor_record_t *floor) {
    state->floor = *floor;
    return floor->position < MAILBOX_POSITION_END && floor->skipped <= floor->position;
}

void position_start(turn_t *turn) {
    state_t *state = turn->state;
    if (state->next_position < state->floor.position)
        state->next_position = state->floor.position;
    if (state->floor.copied)
        position_skip(turn);
}

/* Not always equally far: two lives of the same backup must not give the same ids either. */
void position_skip(turn_t *turn) {
    state_t *state = turn->state;
    if (state->skipped || state->next_position > MAILBOX_POSITION_END / 2)
        return;
    uint32_t draw;
    model_draw(state, &draw, sizeof(draw));
    uint64_t count = POSITION_JUMP + draw;
    state->skipped = true;
    state->next_position += count;
    state->floor =
        (floor_record_t){.position = state->next_position, .skipped = state->floor.skipped + count};
    effects_record(turn->effects, RECORD_FLOOR)->floor = state->floor;
    log_line_t *line = effects_log(turn->effects, "store-went-back", &state->options.realm);
    line->reason = "restored from a backup: ids go on behind a gap";
    line->warning = true;
}
