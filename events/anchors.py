"""Anchors: where each chain's head stood, signed with a key that is no part of the database.

A bare chain can be rewritten from any place on, or cut short together with its head. An anchor
that was handed out before (table, file, a copy elsewhere) contradicts that.
"""

import hmac
import json
from hashlib import sha256
from pathlib import Path

from django.conf import settings

from common.clock import iso, now

from .audit_chain import Fault, canonical, chains
from .audit_files import audit_folder, write_durably
from .models import AuditAnchor, AuditChain, AuditRecord

ANCHOR_FILE = "anchors.jsonl"


def signature_of(chain: str, seq: int, head: str, at: str) -> str:
    """HMAC-SHA256 over the statement, in hex."""
    statement = canonical({"chain": chain, "seq": seq, "head": head, "at": at})
    return hmac.new(settings.AUDIT_ANCHOR_KEY.encode(), statement.encode(), sha256).hexdigest()


def anchor_chains() -> int:
    """Sign the head of every chain that grew since its last anchor; returns how many."""
    made = []
    for chain in chains():
        last = chain.anchors.order_by("-id").first()
        if chain.seq == 0 or (last is not None and last.seq == chain.seq):
            continue
        moment = now()
        signature = signature_of(chain.pk, chain.seq, chain.head, iso(moment))
        made.append(
            AuditAnchor.objects.create(
                chain=chain,
                seq=chain.seq,
                head=chain.head,
                signature=signature,
                created_at=moment,
            )
        )
    lines = [canonical(_shown(anchor)) for anchor in made]
    write_durably(anchor_file(), lines)
    return len(made)


def anchor_file() -> Path:
    """Where anchors are kept outside the database."""
    return audit_folder() / ANCHOR_FILE


def anchored_names() -> set[str]:
    """The chains that the anchor file tells of."""
    return {str(each["chain"]) for each in _filed()}


def _filed() -> list[dict[str, object]]:
    path = anchor_file()
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [dict(json.loads(line)) for line in lines]


def _shown(anchor: AuditAnchor) -> dict[str, object]:
    return {
        "chain": anchor.chain_id,
        "seq": anchor.seq,
        "head": anchor.head,
        "at": iso(anchor.created_at),
        "signature": anchor.signature,
    }


def verify_anchors(chain: AuditChain, *, with_file: bool = False) -> list[Fault]:
    """Compare a chain with its anchors, those of the file included where asked for."""
    statements = [_shown(anchor) for anchor in chain.anchors.all()]
    if with_file:
        statements += [each for each in _filed() if each["chain"] == chain.pk]
    hashes = dict(
        AuditRecord.objects.of_chain(chain)
        .filter(seq__in={each["seq"] for each in statements})
        .values_list("seq", "hash")
    )
    faults = []
    for each in statements:
        seq, head = int(str(each["seq"])), str(each["head"])
        if not hmac.compare_digest(
            signature_of(chain.pk, seq, head, str(each["at"])), str(each["signature"])
        ):
            faults.append(Fault(chain.pk, seq, "an anchor's signature is wrong"))
        elif hashes.get(seq) != head:
            faults.append(Fault(chain.pk, seq, f"is not what was anchored at {each['at']}"))
    return list(dict.fromkeys(faults))
