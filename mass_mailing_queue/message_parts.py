# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What an email is made of. Free of Odoo."""

import re
from dataclasses import dataclass

_DATA_IMAGE = re.compile(r"data:image/[\w.+-]+;base64,([A-Za-z0-9+/=\s]+)")


@dataclass
class Parts:
    """Sizes as they are transmitted (bytes)."""

    size: int = 0
    images: int = 0
    image_size: int = 0
    attachments: int = 0
    attachment_size: int = 0


def measure_parts(message):
    """Return what makes an email large.

    Inline images are parts that the HTML refers to, and those written into it.

    :param message: an ``email.message.EmailMessage``

    >>> from email.message import EmailMessage
    >>> message = EmailMessage()
    >>> message.set_content("Hello")
    >>> image = '<img src="data:image/png;base64,AAAA">'
    >>> message.add_alternative(image, subtype="html")
    >>> message.add_attachment(b"12345", maintype="a", subtype="b", filename="c")
    >>> parts = measure_parts(message)
    >>> parts.images, parts.image_size, parts.attachments, parts.attachment_size
    (1, 4, 1, 8)
    """
    parts = Parts(size=len(bytes(message)))
    for part in message.walk():
        if part.is_multipart():
            continue
        size = len(part.get_payload() or "")
        if part.get("Content-ID") or (
            part.get_content_maintype() == "image"
            and part.get_content_disposition() == "inline"
        ):
            parts.images += 1
            parts.image_size += size
        elif part.get_content_disposition() == "attachment":
            parts.attachments += 1
            parts.attachment_size += len("".join(part.get_payload().split()))
        elif part.get_content_type() == "text/html":
            found = _DATA_IMAGE.findall(part.get_content())
            parts.images += len(found)
            parts.image_size += sum(map(len, found))
    return parts
