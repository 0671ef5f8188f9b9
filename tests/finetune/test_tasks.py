"""What a model is trained on is what the running system can do."""

from chatbot import prompt
from chatbot.tools import registry
from finetune.tasks import TOOLS


def test_the_trained_tasks_are_the_tools_of_the_running_registry():
    assert registry.outlines() == TOOLS


def test_details_are_trained_in_the_order_that_the_running_grammar_writes():
    assert prompt.allowed_arguments(TOOLS) == prompt.allowed_arguments(registry.outlines())
