"""What the model said, of an answer in any shape known here."""

from typing import Any

from tracking.answers.fields import Fields, fields_of, inside, listed


def text_of(answer: Fields) -> str | None:
    """The answer's text without its thoughts, or `None` where it has none."""
    if isinstance(text := answer.get("output_text"), str):
        return text
    message = answer.get("message")
    contents: list[Any] = [answer.get("content"), inside(answer.get("response"), "output_text")]
    contents += [inside(choice, "message", "content") for choice in listed(answer.get("choices"))]
    contents += [inside(candidate, "content", "parts") for candidate in listed(answer.get("candidates"))]
    contents += [inside(item, "content") for item in listed(answer.get("output"))]
    outputs = [
        inside(item, "message") for item in listed(answer.get("outputs"))
    ]  # xai-sdk's; its tools' are among them
    contents += [inside(said, "content") for said in outputs if inside(said, "role") != "ROLE_TOOL"]
    contents += [inside(answer.get("output"), "message", "content"), inside(message, "content")]
    parts = [text for content in contents for text in _texts(content)]
    if not parts and isinstance(transcript := answer.get("text"), str):
        return transcript
    return "".join(parts) if parts else None


def _texts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    blocks = [fields for block in listed(content) if (fields := fields_of(block)) and not fields.get("thought")]
    return [text for block in blocks if isinstance(text := block.get("text"), str)]
