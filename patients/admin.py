"""Patients, who may act for them, what they agreed to, and everybody's log-ins."""

import re
from datetime import date, datetime
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from eyecare import clock
from patients import services
from patients.models import Account, Consent, Patient, Proxy
from practice.desk import Kept, RecordsReads

BIRTH_FORMATS = ("%Y-%m-%d", "%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y")


class ProxyInline(TabularInline):
    """Who may act for this patient."""

    model = Proxy
    fk_name = "patient"
    verbose_name, verbose_name_plural = "person who may act for them", "who may act for them"
    autocomplete_fields = ["proxy"]
    extra = 0
    tab = True


class WardInline(TabularInline):
    """Whom this patient may act for."""

    model = Proxy
    fk_name = "proxy"
    verbose_name, verbose_name_plural = "person they may act for", "whom they may act for"
    autocomplete_fields = ["patient"]
    extra = 0
    tab = True


class ConsentInline(TabularInline):
    """Answers are added, never changed: the newest one counts."""

    model = Consent
    fields = ["kind", "granted", "source", "at"]
    readonly_fields = ["at"]
    extra = 0
    can_delete = False
    tab = True

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class PatientForm(forms.ModelForm):
    def clean_date_of_birth(self) -> date:
        birth: date = self.cleaned_data["date_of_birth"]
        if birth > clock.today():
            raise forms.ValidationError("A date of birth cannot lie in the future.")
        return birth


@admin.register(Patient)
class PatientAdmin(RecordsReads, Kept):
    """Patients: found by name, number, phone or date of birth."""

    form = PatientForm
    list_display = ["name", "number", "date_of_birth", "phone", "email", "language", "is_active"]
    list_filter = ["is_active", "language"]
    search_fields = ["last_name", "first_name", "number", "email"]
    search_help_text = "Name, number, phone, e-mail or date of birth (5/17/1980)"
    autocomplete_fields = ["account", "guarantor"]
    readonly_fields = ["number", "created_at"]
    fields = [
        ("first_name", "last_name"),
        ("date_of_birth", "number"),
        ("phone", "email"),
        "address",
        ("language", "is_active"),
        ("guarantor", "account"),
        "created_at",
    ]
    inlines = [ProxyInline, WardInline, ConsentInline]
    actions_detail = ["show_record"]
    change_form_outer_before_template = "admin/patients/patient/rooms.html"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Patient], search_term: str
    ) -> tuple[QuerySet[Patient], bool]:
        if birth := _birth(search_term):
            return queryset.filter(date_of_birth=birth), False
        if digits := _phone_digits(search_term):
            return queryset.filter(phone__contains=digits), False
        return super().get_search_results(request, queryset, search_term)

    def save_model(self, request: HttpRequest, obj: Patient, form: forms.ModelForm, change: bool) -> None:
        """Take a new patient in as everywhere else, under the practice's next number."""
        if change:
            super().save_model(request, obj, form, change)
        else:
            registered = services.register(**form.cleaned_data)
            obj.pk, obj.number, obj._state = registered.pk, registered.number, registered._state

    @action(description="Who saw and changed this", icon="history", permissions=["show_record"])
    def show_record(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        record = reverse("admin:practice_auditevent_changelist")
        return HttpResponseRedirect(f"{record}?{urlencode({'row': object_id})}")

    def has_show_record_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Say whether somebody may see who did what."""
        return request.user.has_perm("practice.view_auditevent")


class NewAccountForm(UserCreationForm):
    class Meta:
        model = Account
        fields = ["email"]


@admin.register(Account)
class AccountAdmin(UserAdmin, ModelAdmin):
    """Log-ins; one that is switched off stays, because the record names it."""

    form = UserChangeForm
    add_form = NewAccountForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["email", "first_name", "last_name", "is_staff", "is_active", "last_login"]
    list_filter = ["is_staff", "is_active", "groups"]
    search_fields = ["email", "first_name", "last_name"]
    ordering = ["email"]
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["email", "password", ("first_name", "last_name")]}),
        ("Rights", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("Times", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "password1", "password2"]})]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(ModelAdmin):
    search_fields = ["name"]
    filter_horizontal = ["permissions"]


def _birth(text: str) -> date | None:
    """Return the date that a search term is, or None."""
    for form in BIRTH_FORMATS:
        try:
            return datetime.strptime(text.strip(), form).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
    return None


def _phone_digits(text: str) -> str:
    """Return the digits of a search term that can only be a phone number, or ""."""
    digits = re.sub(r"\D", "", text)
    return digits if len(digits) >= 4 and re.fullmatch(r"[\d\s()+.-]+", text) else ""
