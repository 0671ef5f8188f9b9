"""The desk's view of the assistants: what each may do and quote, and by which model it understands."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminTextareaWidget,
)

from chatbot import assistants
from chatbot.labelling import task_choices
from chatbot.models import Assistant, Document
from patients.models import Account
from practice.desk import Kept


class AssistantForm(forms.ModelForm):
    tools = forms.MultipleChoiceField(
        label="What it may do",
        required=False,
        choices=task_choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None chosen: everything.",
    )
    greeting = forms.CharField(
        required=False,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Said instead of the usual hello.",
    )
    documents = forms.ModelMultipleChoiceField(
        Document.objects.defer("body"),
        label="What it may quote",
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget,
        help_text="None chosen: every document.",
    )

    class Meta:
        model = Assistant
        fields = (
            "name",
            "slug",
            "is_default",
            "is_active",
            "greeting",
            "tools",
            "documents",
            "model_name",
            "prompt_style",
        )


@admin.register(Assistant)
class AssistantAdmin(Kept):
    """Assistants; a change of the model holds from the next message on."""

    form = AssistantForm
    list_display = ("name", "page", "is_default", "is_active", "served_by", "may_do", "document_count")
    list_filter = ("is_active",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    fieldsets = (
        (None, {"fields": (("name", "slug"), ("is_default", "is_active"), "greeting")}),
        ("What it does and knows", {"fields": ("tools", "documents")}),
        ("How it understands", {"fields": (("model_name", "prompt_style"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Assistant]:
        return super().get_queryset(request).annotate(documents_held=Count("documents"))

    @display(description="page")
    def page(self, assistant: Assistant) -> SafeString:
        address = reverse("chatbot:chat", args=[] if assistant.is_default else [assistant.slug])
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{0}">{0}</a>', address)

    @display(description="model", ordering="model_name")
    def served_by(self, assistant: Assistant) -> str:
        return assistant.model_name or "the settings' model"

    @display(description="may do")
    def may_do(self, assistant: Assistant) -> str:
        return f"{len(assistant.tools)} tasks" if assistant.tools else "everything"

    @display(description="documents", ordering="documents_held")
    def document_count(self, assistant: Any) -> str:
        return str(assistant.documents_held or "all")

    def save_model(self, request: HttpRequest, obj: Assistant, form: Any, change: bool) -> None:
        """Save the row, and its model by the one verb that changes which model serves."""
        served = {name: form.cleaned_data[name] for name in ("model_name", "prompt_style")}
        if change:
            before = Assistant.objects.get(pk=obj.pk)
            obj.model_name, obj.prompt_style = before.model_name, before.prompt_style
        super().save_model(request, obj, form, change)
        if change and {"model_name", "prompt_style"} & set(form.changed_data):
            assistants.serve(obj, **served, actor=cast(Account, request.user))
