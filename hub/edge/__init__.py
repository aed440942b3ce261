"""What runs at the provider: names and numbers in, pseudonymous encodings out. Usable without the rest of the hub."""

from hub.edge.encoder import EdgeEncoder, pseudonym
from hub.edge.errors import CustodianRefused, EdgeError, KeyFileError, UnknownColumns, UnknownEpoch
from hub.edge.keys import FileKey, KeyCustody
from hub.edge.oprf import Custodian, CustodianClient, EpochCheck
from hub.edge.person import PersonFields

__all__ = [
    "Custodian",
    "CustodianClient",
    "CustodianRefused",
    "EdgeEncoder",
    "EdgeError",
    "EpochCheck",
    "FileKey",
    "KeyCustody",
    "KeyFileError",
    "PersonFields",
    "UnknownColumns",
    "UnknownEpoch",
    "pseudonym",
]
