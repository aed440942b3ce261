"""What can go wrong at the edge."""


class EdgeError(Exception):
    """Of anything that the edge refuses or cannot do."""


class KeyFileError(EdgeError):
    """The key file is missing, unreadable or weak."""


class UnknownEpoch(EdgeError):
    """The custodian holds no key for this epoch."""


class CustodianRefused(EdgeError):
    """The key custodian gave no answer, or one that fails its proof."""


class UnknownColumns(EdgeError):
    """A file in which no person field is recognised, or which lacks a column that is needed."""
