"""Section on prompts and weights, drawn: what each strategy gets right, row by row, and how it was done."""

from html import escape
from statistics import fmean

from pyfastlm.demo.table_html import table_html
from pyfastlm.demo.together import DEMOS, LANGUAGES, TRAINING, WORDS, Together
from pyfastlm.together.report import tables

WIDTH, LEFT, RIGHT, TOP, STEP, BOTTOM = 820, 170, 60, 24, 26, 34
MARKS = {True: "&#10003;", False: '<span class="missing">&#10007;</span>'}


def sections(found: Together) -> str:
    """All of it as HTML."""
    grid = found.grid
    return f"""<section>
<h2>What prompts and weights learn in turn</h2>
<p>{escape(found.verdict)}</p>
<div class="scroll">{_picture(found)}</div>
{table_html(tables.accuracies(grid))}{table_html(tables.contrasts(grid))}{table_html(tables.costs(grid))}
{"".join(f'<p class="missing">{escape(each)}</p>' for each in tables.doubts(grid))}
{_rows(found)}
{_method(found)}</section>
"""


def _picture(found: Together) -> str:
    """Shares of right answers with their intervals; references as lines."""
    grid = found.grid
    names = tables.ordered(grid)
    bottom = TOP + STEP * len(names)

    def at(share: float) -> str:
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * share:.1f}"

    marks = []
    for tick in (0.0, 0.5, 1.0):
        marks.append(f'<path class="grid" d="M{at(tick)} {TOP}V{bottom}"/>')
        marks.append(f'<text class="tick" x="{at(tick)}" y="{bottom + 18}">{tick:.1f}</text>')
    for name in dict.fromkeys(line.name for line in grid.lines):
        share = fmean(fmean(line.right) for line in grid.lines if line.name == name)
        marks.append(
            f'<path stroke="var(--control)" stroke-width="2" d="M{at(share)} {TOP}V{bottom}"/>'
            f'<text class="tick" x="{at(share)}" y="{TOP - 8}">{escape(name)}</text>'
        )
    for number, name in enumerate(names):
        y = TOP + STEP * number + STEP // 2
        marks.append(f'<text class="label" x="{LEFT - 15}" y="{y + 4}">{escape(_named(name))}</text>')
        if (each := grid.contrast({name: 1})) is not None:
            marks.append(
                f"<g><title>{escape(_named(name))}: {each.value:.2f}</title>"
                f'<path stroke="var(--bar)" stroke-width="2" d="M{at(each.low)} {y}H{at(each.high)}"/>'
                f'<circle fill="var(--bar)" cx="{at(each.value)}" cy="{y}" r="4"/></g>'
            )
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + BOTTOM}" role="img" '
        'aria-label="Share of right answers to test rows">' + "".join(marks) + "</svg>"
    )


def _rows(found: Together) -> str:
    """Every test row of the first seed, and who is right about it."""
    grid = found.grid
    cells = [grid.of(name)[0] for name in tables.ordered(grid)]
    cells = [cell for cell in cells if not cell.reason]
    lines = [line for line in grid.lines if line.seed == grid.cells[0].seed]
    right = [cell.right for cell in cells] + [line.right for line in lines]
    names = [_named(cell.strategy) for cell in cells] + [line.name for line in lines]
    texts = {row.id: row for row in found.task.rows}
    heads = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f'<tr><td class="left">{escape(texts[name].inputs["text"])}</td><td>{escape(texts[name].answer)}</td>'
        + "".join(f"<td>{MARKS[each[number]]}</td>" for each in right)
        + "</tr>\n"
        for number, name in enumerate(cells[0].ids if cells else ())
    )
    return f"""<details><summary>Every test row</summary>
<div class="scroll"><table>
<thead><tr><th class="left">words</th><th>language</th>{heads}</tr></thead>
<tbody>
{body}</tbody>
</table></div></details>"""


def _named(name: str) -> str:
    return tables.CONTROL_NAMES.get(name, name)


def _method(found: Together) -> str:
    size = found.size
    train, validation, test = size.sizes
    return f"""<h3>Method</h3>
<p>A program of stock DSPy asks the model for the language of {WORDS} words ({", ".join(LANGUAGES)}; texts
written for this package); the answer is written freely, and only the bare name is right.
<strong>P</strong> tries {size.candidates} prompts with {DEMOS} demonstrations, from runs of {train} training
rows whose answer was right, filled up with gold rows, one with gold rows alone, and the bare prompt; the best
on {validation} validation rows is taken. <strong>W</strong> tunes an adapter on the runs that were right,
under the bare prompt, {TRAINING["epochs"]} times in steps of {TRAINING["batch_size"]} at a rate of
{TRAINING["lr"]:g}: on answers of the model itself, never on gold ones. <strong>P-W</strong> takes its runs
under the prompt of P.
The majority and a logistic regression on letters and pairs of letters see the gold answers of the same
training rows; the {test} test rows are seen by none. After Soylu et al. (2024). {found.seconds:.0f} s.</p>
"""
