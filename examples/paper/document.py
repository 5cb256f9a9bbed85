# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A document of headings, paragraphs, tables, plots and commands, as Markdown and as HTML."""
import html
import re

STYLE = """body { font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; } th, td { padding: .2em .7em; border-bottom: 1px solid #ccc; text-align: right; }
th:first-child, td:first-child { text-align: left; } img { max-width: 100%; } pre, code { background: #f4f4f4; padding: .1em .3em; }"""


class Document:
    def __init__(self, title):
        self.title, self.markdown, self.body = title, [f"# {title}"], [f"<h1>{html.escape(title)}</h1>"]

    def heading(self, text):
        self.markdown.append(f"## {text}")
        self.body.append(f"<h2>{html.escape(text)}</h2>")

    def paragraph(self, text):
        self.markdown.append(text)
        self.body.append(f"<p>{marked(text)}</p>")

    def points(self, texts):
        self.markdown.append("\n".join(f"- {text}" for text in texts))
        self.body.append("<ul>\n" + "\n".join(f"<li>{marked(text)}</li>" for text in texts) + "\n</ul>")

    def command(self, text):
        self.markdown.append(f"```\n{text}\n```")
        self.body.append(f"<pre>{html.escape(text)}</pre>")

    def table(self, header, rows):
        """The first column is text, the others are figures."""
        lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
        self.markdown.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
        cells = ["<tr>" + "".join(f"<th>{marked(cell)}</th>" for cell in header) + "</tr>"]
        cells += ["<tr>" + "".join(f"<td>{marked(cell)}</td>" for cell in row) + "</tr>" for row in rows]
        self.body.append("<table>\n" + "\n".join(cells) + "\n</table>")

    def plot(self, file, text):
        self.markdown.append(f"![{text}]({file})")
        self.body.append(f'<p><img src="{html.escape(file)}" alt="{html.escape(text)}"></p>')

    def as_markdown(self):
        return "\n\n".join(self.markdown) + "\n"

    def as_html(self):
        return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(self.title)}</title>\n'
                f"<style>\n{STYLE}\n</style>\n</head>\n<body>\n" + "\n".join(self.body) + "\n</body>\n</html>\n")


def marked(text):
    """`code` and **strong** as HTML."""
    text = re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text))
    return re.sub(r"\*\*([^*]*)\*\*", r"<strong>\1</strong>", text)
