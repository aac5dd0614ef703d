"""The verdict over the audit trail, for the command and the console."""

from dataclasses import dataclass, field

from .anchors import anchored_names, verify_anchors
from .audit_chain import Fault, chains, verify_chain
from .audit_files import verify_file
from .models import AuditAnchor, AuditRecord


@dataclass(slots=True)
class Verdict:
    """How much was read, and what is wrong with it."""

    chains: int = 0
    records: int = 0
    anchors: int = 0
    faults: list[Fault] = field(default_factory=list)


def verify_all(*, name: str = "", with_files: bool = False) -> Verdict:
    """Verify every chain, or the one of this name; ``with_files`` compares the files too."""
    verdict = Verdict()
    for chain in chains():
        if name and chain.pk != name:
            continue
        verdict.chains += 1
        verdict.records += AuditRecord.objects.of_chain(chain).count()
        verdict.anchors += AuditAnchor.objects.filter(chain=chain).count()
        verdict.faults += verify_chain(chain)
        verdict.faults += verify_anchors(chain, with_file=with_files)
        if with_files:
            verdict.faults += verify_file(chain)
    if with_files:
        gone = anchored_names() - {chain.pk for chain in chains()}
        verdict.faults += [Fault(each, 0, "the chain is gone") for each in sorted(gone)]
    return verdict
