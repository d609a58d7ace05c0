"""A table of a report as HTML."""

from html import escape

from pyfastlm._markdown import Table


def table_html(table: Table) -> str:
    """The table under its title, its first column to the left, with the line that says how to read it."""
    heads = "".join(f"<th>{escape(column)}</th>" for column in table.columns[1:])
    rows = "".join(
        f'<tr><th class="left">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>\n"
        for row in table.rows
    )
    note = f'<p class="note">{escape(table.note)}</p>\n' if table.note else ""
    return f"""<h3>{escape(table.title)}</h3>
<div class="scroll"><table>
<thead><tr><th class="left">{escape(table.columns[0])}</th>{heads}</tr></thead>
<tbody>
{rows}</tbody>
</table></div>
{note}"""
