"""Every failure the engine expects, each with the person who must act.

An error carries a ``code`` for machines and tables, an ``exit_code`` for the
shell, whether trying again can help, and a ``hint`` that says who must do what.
Messages hold ids, codes, numbers and setting names; never text or file names of
a document. Anything that is not an :class:`ExtractorError` is a bug.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_BUG = 70
EXIT_INTERRUPTED = 130  # as a shell says of a command that SIGINT ended


class ExtractorError(Exception):
    """Root of all expected failures.

    ``detail`` completes the class's own sentence; it must never quote a
    document. All fields are optional keywords, so that errors survive pickling.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    hint: ClassVar[str] = "See the documentation of this error code."

    def __init__(
        self,
        detail: str = "",
        *,
        doc_id: str | None = None,
        page_no: int | None = None,
        code: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.doc_id = doc_id
        self.page_no = page_no
        if code is not None:
            self.code = code  # type: ignore[misc]  # a narrower code for one instance
        if hint is not None:
            self.hint = hint  # type: ignore[misc]

    def __reduce__(self) -> tuple[object, ...]:
        state = {"doc_id": self.doc_id, "page_no": self.page_no, "code": self.code, "hint": self.hint}
        return (_rebuild, (type(self), self.detail, state))

    def __str__(self) -> str:
        where = "".join(
            part
            for part in (
                f" document {self.doc_id[:12]}" if self.doc_id else "",
                f" page {self.page_no}" if self.page_no else "",
            )
        )
        summary = (type(self).__doc__ or self.code).splitlines()[0]
        return f"[{self.code}]{where} {self.detail or summary}"


def _rebuild(kind: type[ExtractorError], detail: str, state: dict[str, object]) -> ExtractorError:
    return kind(detail, **state)  # type: ignore[arg-type]


class ConfigError(ExtractorError):
    """A setting, manifest or policy file cannot be used as it is."""

    code = "config.invalid"
    exit_code = 2
    hint = "Operator: correct the named key or line and run again."


class MissingToolError(ExtractorError):
    """A tool, library or weight file that the configuration asks for is absent or altered."""

    code = "tool.missing"
    exit_code = 3
    hint = (
        "Operator: install what is named, or choose another engine; `extractor check` lists what is missing."
    )


class InputError(ExtractorError):
    """This document cannot be read."""

    code = "input.invalid"
    exit_code = 4
    hint = "Sender: supply a readable copy of this document."


class EncryptedError(InputError):
    """The file needs a password before any page can be read."""

    code = "input.encrypted"
    hint = "Sender: supply an unlocked copy; the engine stores no passwords."


class CorruptError(InputError):
    """The bytes do not form a readable document of their type."""

    code = "input.corrupt"
    hint = "Sender: export or scan the document again and send the complete file."


class EmptyInputError(CorruptError):
    """The file has no bytes or no page."""

    code = "input.empty"
    hint = "Sender: the file is empty; send the complete file."


class UnsupportedError(InputError):
    """The type of this document is not one the engine reads."""

    code = "input.unsupported"
    hint = "Sender: convert to PDF, an image, DOCX, HTML, XML, e-mail, text, CSV or XLSX."


class LimitError(InputError):
    """The document asks for more than the configured limits allow."""

    code = "limit.exceeded"
    hint = "Operator: raise the named limit if this document is legitimate; otherwise ask the sender to split it."


class GovernanceError(InputError):
    """What the sender says about the document's governance contradicts the policy."""

    code = "input.governance"
    hint = "Sender: name a class and consent scope that the policy declares, and only manifest columns."


class TimeLimitError(LimitError):
    """The document or page took longer than allowed and its worker was stopped."""

    code = "limit.time"
    hint = "Operator: raise limits.document_time_s or limits.page_time_s if the document is legitimate."


class MemoryLimitError(LimitError):
    """The document needed more memory than allowed and its worker was stopped."""

    code = "limit.memory"
    hint = "Operator: raise limits.worker_memory_mb if the document is legitimate."


class CrashError(InputError):
    """The process reading this document died."""

    code = "input.crashed"
    hint = "Developer: a library crashed on this document; reproduce with `extractor text` and report it upstream."


class OcrError(ExtractorError):
    """The OCR engine could not read a page."""

    code = "ocr.failed"
    exit_code = 5
    retryable = True
    hint = "Operator: run `extractor quarantine retry`; if it fails again, look at the OCR engine's installation."


class OcrTimeoutError(OcrError):
    """The OCR engine gave no answer within the page's time limit."""

    code = "ocr.timeout"
    hint = "Operator: raise limits.page_time_s, or accept the page as unreadable."


class ExtractionError(ExtractorError):
    """An extractor broke its contract."""

    code = "extraction.failed"
    exit_code = 6
    hint = "Developer of the extractor: the named extractor failed on this document."


class LakeError(ExtractorError):
    """The lake cannot be read or written."""

    code = "lake.failed"
    exit_code = 7
    hint = "Operator: check the lake's address, credentials and free space, then run again; nothing is written twice."


class CommitConflictError(LakeError):
    """Other writers kept winning the commit."""

    code = "lake.conflict"
    retryable = True
    hint = "Operator: run again; lower the number of concurrent writers if it persists."


class ContractError(LakeError):
    """Rows or a table on disk do not fit the table contract."""

    code = "lake.contract"
    hint = "Developer: the rows or the stored schema differ from the contract of this version."


class VerifyError(LakeError):
    """The lake breaks one of its own promises."""

    code = "lake.inconsistent"
    hint = "Operator: run the same `extractor run` again to complete an interrupted batch, then verify again."


class QueueError(ExtractorError):
    """The queue's broker cannot be reached, or refuses."""

    code = "queue.failed"
    exit_code = 9
    retryable = True
    hint = "Operator: check --queue, the broker and its credentials; messages under lease come again by themselves."


class QueueRefusedError(QueueError):
    """The queue's broker or file refuses for good: rights are missing, or it is damaged or not a queue."""

    code = "queue.refused"
    retryable = False
    hint = "Operator: waiting does not help; check the address, the rights and the state of what holds the queue."


class QueueMessageError(QueueError):
    """A message in the queue is not one of ours, or is damaged."""

    code = "queue.message"
    retryable = False
    hint = (
        "Operator: look at the sender of the dead letter; `extractor enqueue` and S3 events are understood."
    )


class PolicyError(ExtractorError):
    """The policy does not allow, or cannot decide, what was asked."""

    code = "policy.refused"
    exit_code = 8
    hint = "Owner of configs/policy.yaml: grant the role what it needs, or use another principal."


class AccessDeniedError(PolicyError):
    """The principal may not see this."""

    code = "policy.denied"
