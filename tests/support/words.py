"""What is wrong with the words on a screen, in any language."""

import re

#: Where our own words are: not the web client's menus, nor what people discuss.
ROOTS = ".o_view_controller, .modal-content"

#: A sentence that begins right behind another one.
JOINED = re.compile(r"[.!?:…][A-ZÀ-ÖØ-Þ¿¡]")

#: What a program fills in and did not.
LITERAL = re.compile(r"%\(\w+\)[sd]|%[sd]\b|\[object \w+\]|\bundefined\b|\bNaN\b")

#: Texts that touch, though one would read them as two.
TOUCHING = """
root => {
    const pieces = [];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode;
        const text = node.data.trim();
        if (!text || node.parentElement.closest(".o-mail-Form-chatter")) {
            continue;
        }
        const range = document.createRange();
        const begin = node.data.indexOf(text);
        range.setStart(node, begin);
        range.setEnd(node, begin + text.length);
        const boxes = [...range.getClientRects()].filter((box) => box.width > 1);
        const parent = node.parentElement;
        if (boxes.length && parent.checkVisibility({opacityProperty: true})) {
            pieces.push({text, first: boxes[0], last: boxes.at(-1)});
        }
    }
    const touching = [];
    for (let number = 1; number < pieces.length; number++) {
        const [before, after] = [pieces[number - 1], pieces[number]];
        const [left, right] = [before.last, after.first];
        const common =
            Math.min(left.bottom, right.bottom) - Math.max(left.top, right.top);
        if (
            common > Math.min(left.height, right.height) / 2 &&
            Math.abs(right.left - left.right) < 2 &&
            /[\\p{L}\\p{N}.!?:;,»”)]$/u.test(before.text) &&
            /^[\\p{L}\\p{N}¿¡«“(]/u.test(after.text)
        ) {
            touching.push(before.text.slice(-40) + "|" + after.text.slice(0, 40));
        }
    }
    return touching;
}
"""


def faults(page):
    """What is wrong with the words that are on a page now, a line for each."""
    found = []
    for root in page.locator(ROOTS).all():
        text = root.inner_text()
        found += [
            f"joined: {text[max(match.start() - 30, 0) : match.end() + 30]!r}"
            for match in JOINED.finditer(text)
        ]
        found += [f"not filled in: {match}" for match in LITERAL.findall(text)]
        found += [f"touching: {words!r}" for words in root.evaluate(TOUCHING)]
    return found
