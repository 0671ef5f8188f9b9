"""What the workshop says no to, each with a sentence for whoever asked."""

from eyecare.errors import Invalid, Refusal


class BadFile(Invalid):
    """What was uploaded holds nothing that a model can learn from."""

    code = "bad_file"


class NoSuchRecipe(Invalid):
    code = "no_such_recipe"


class BadModel(Invalid):
    """A file that is no model, or not the one it is said to be."""

    code = "bad_model"


class WrongState(Refusal):
    code = "wrong_state"


class NoRoom(Refusal):
    """The disk is too full to begin."""

    code = "no_room"


class HostUnreachable(Refusal):
    """The model host does not answer, so nothing can be scored or put to use."""

    code = "model_host_unreachable"
    status = 503


class HostRefused(Refusal):
    """The model host answers, and cannot serve this model."""

    code = "model_host_refused"


class NotBetter(Refusal):
    """The gate's verdict; `alternatives` are the findings that stand against the version."""

    code = "gate_closed"


class Outdated(Refusal):
    """What the version was held against is not what serves now."""

    code = "evaluate_again"
