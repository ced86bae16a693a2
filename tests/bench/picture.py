"""Pictures: panels with logarithmic axes, side by side, as SVG, legible on light and on dark."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 610, 400  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 64, 220, 56, 52
LABEL_STEP = 15
TICKS_MAX, APART = 6, 1.4
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #808080 }
.title { font-size: 15px; font-weight: 600 }
.label { font-weight: 600 }
.grid { stroke: #808080; stroke-opacity: .35; stroke-width: 1 }
.fine { stroke: #808080; stroke-opacity: .14; stroke-width: 1 }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round }
.send, .ping { stroke-width: 3.4 }
"""
# Middle tones that keep apart for most eyes, on white as on black; floors are grey and broken.
COLOURS = {"echo": "#8a8a8a", "durable": "#8a8a8a", "ping": "#e08a00", "send": "#d1481f",
           "redis": "#2f7fc4", "jetstream": "#169c72", "ngircd": "#b565a7",
           "ejabberd": "#7a72d0", "messages": "#169c72", "users": "#d1481f",
           "groups": "#b565a7", "pages": "#2f7fc4", "connections": "#e08a00", "links": "#7a72d0"}
DASHES = {"echo": "2 4", "durable": "8 4"}


class Scale:
    """A logarithmic axis from values to pixels."""

    def __init__(self, least, most, start, end):
        self.least, self.most = math.log10(least), math.log10(most)
        self.start, self.end = start, end

    def __call__(self, value):
        part = (math.log10(value) - self.least) / (self.most - self.least or 1)
        return self.start + part * (self.end - self.start)


def picture(panels):
    """`panels` are (title, x title, lines, unit); a line is (label, style, [(x, y)])."""
    width = WIDTH * len(panels)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" '
             f'viewBox="0 0 {width} {HEIGHT}">', f"<style>{STYLE}{colours()}</style>"]
    for number, panel in enumerate(panels):
        parts += [f'<g transform="translate({number * WIDTH})">', *panel_parts(*panel), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def colours():
    rules = []
    for style, colour in COLOURS.items():
        dash = f"; stroke-dasharray: {DASHES[style]}" if style in DASHES else ""
        rules.append(f"path.{style} {{ stroke: {colour}{dash} }}\n"
                     f"circle.{style}, text.{style} {{ fill: {colour} }}\n")
    return "".join(rules)


def panel_parts(title, x_title, lines, unit):
    lines = [line for line in lines if line[2]]
    xs = sorted({x for _, _, points in lines for x, _ in points})
    ys = [y for _, _, points in lines for _, y in points]
    across = Scale(xs[0], xs[-1], LEFT, WIDTH - RIGHT)
    up = Scale(10 ** math.floor(math.log10(min(ys))), 10 ** math.ceil(math.log10(max(ys))),
               HEIGHT - BOTTOM, TOP)
    return [text(LEFT, 26, title, "title"),
            text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x_title, anchor="middle"),
            *grid_across(across, ticks_across(xs)), *grid_up(up, unit),
            *(part for line in lines for part in line_parts(across, up, *line)),
            *labels(lines, up)]


def ticks_across(xs):
    """Where the points are, if these are few and apart; else the powers of ten between them."""
    if len(xs) <= TICKS_MAX and all(b > a * APART for a, b in zip(xs, xs[1:])):
        return {x: f"{x}" for x in xs}
    powers = range(math.ceil(math.log10(xs[0])), math.floor(math.log10(xs[-1])) + 1)
    return {10 ** power: tick(10 ** power, "") for power in powers}


def grid_across(across, ticks):
    for x, label in ticks.items():
        yield rule(across(x), TOP, across(x), HEIGHT - BOTTOM, "fine")
        yield text(across(x), HEIGHT - BOTTOM + 18, label, anchor="middle")


def grid_up(up, unit):
    for decade in range(round(up.least), round(up.most) + 1):
        y = up(10 ** decade)
        yield rule(LEFT, y, WIDTH - RIGHT, y, "grid")
        yield text(LEFT - 8, y + 4, tick(10 ** decade, unit), anchor="end")
        for part in (2, 5) if decade < round(up.most) else ():
            y = up(part * 10 ** decade)
            yield rule(LEFT, y, WIDTH - RIGHT, y, "fine")


def tick(value, unit):
    names = ((1e6, "s"), (1e3, "ms"), (1, "µs")) if unit == "µs" else ((1e6, "M"), (1e3, "k"))
    for size, name in names:
        if value >= size:
            return f"{value / size:g}{' ' if unit == 'µs' else ''}{name}"
    return f"{value:g}"


def line_parts(across, up, _label, style, points):
    places = [(across(x), up(y)) for x, y in points]
    path = " L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    yield f'<path class="line {style}" d="M{path}"/>'
    for x, y in places:
        yield f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'


def labels(lines, up):
    """Each at the end of its line, moved apart where they would lie on one another."""
    ends = sorted((up(points[-1][1]), label, style) for label, style, points in lines)
    places = [y for y, _, _ in ends]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + LABEL_STEP)
    over = max(0, places[-1] - (HEIGHT - BOTTOM))
    for i in reversed(range(len(places))):
        room = places[i + 1] - LABEL_STEP if i + 1 < len(places) else places[i] - over
        places[i] = min(places[i], room)
    for y, (_, label, style) in zip(places, ends):
        yield text(WIDTH - RIGHT + 10, y + 4, label, f"label {style}")


def rule(x1, y1, x2, y2, style):
    return f'<path class="{style}" d="M{x1:.1f} {y1:.1f} L{x2:.1f} {y2:.1f}"/>'


def text(x, y, words, style="", anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{style}">'
            f"{escape(words)}</text>")
