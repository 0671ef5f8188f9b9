"""The model factory for other programs: upload examples, fine-tune, look at versions, put one to use."""

from collections.abc import Iterator
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle

from chatbot.models import Assistant
from eyecare.errors import Invalid
from patients.models import Account
from workshop import intake, jobs, recipes, services
from workshop.models import Dataset, Evaluation, FineTuneJob, ModelVersion
from workshop.refusals import BadFile, NoSuchRecipe

KEY_LENGTH = 80
ENVELOPE_BYTES = 100_000
"""What may stand around a file in a request."""


class Builds(BasePermission):
    """Lets staff through who may do what the view's `rights` name for this action.

    To everybody else a row looks missing, and a list is forbidden.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        right = view.rights.get(view.action, view.rights["list"])
        if user.is_authenticated and user.is_staff and user.has_perm(right):
            return True
        if user.is_authenticated and "pk" in view.kwargs:
            raise Http404
        return False


class WritesThrottle(UserRateThrottle):
    """A person uploads and starts a few times a day; a loop gone wild meets this first."""

    scope = "workshop-writes"
    rate = "30/min"

    def allow_request(self, request: Request, view: Any) -> bool:
        return request.method in {"GET", "HEAD", "OPTIONS"} or super().allow_request(request, view)


class _Body:
    """A request's body as a file, read piece by piece."""

    def __init__(self, stream: Any, name: str) -> None:
        self._stream, self.name = stream, name

    def chunks(self) -> Iterator[bytes]:
        while piece := self._stream.read(1 << 16):
            yield piece


class _FileParser(BaseParser):
    """Takes a whole body for a file; its kind is that of the request."""

    suffix: ClassVar[str]

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        query = parser_context["request"].query_params
        given = {name: query[name] for name in ("name", "licence") if name in query}
        return given | {"file": _Body(stream, f"{query.get('name', 'examples')}{self.suffix}")}


class JsonLinesParser(_FileParser):
    media_type, suffix = "application/x-ndjson", ".jsonl"


class CsvParser(_FileParser):
    media_type, suffix = "text/csv", ".csv"


class UploadedField(serializers.Field):
    """A file of a form, or the body itself."""

    def to_internal_value(self, file: Any) -> Any:
        if not hasattr(file, "chunks"):
            raise ValidationError("Send the file itself.")
        return file


class UploadingSerializer(serializers.Serializer[Any]):
    file = UploadedField()
    licence = serializers.ChoiceField(
        choices=Dataset.Licence.choices, help_text="Under which the messages may be used."
    )
    name = serializers.CharField(max_length=120, required=False, default="")


class UploadFormSerializer(UploadingSerializer):
    """The same, as the documentation shows it."""

    file = serializers.FileField(help_text="A table (.csv) or JSON Lines (.jsonl), at most 20 MB.")  # type: ignore[assignment]


class DatasetSerializer(serializers.ModelSerializer[Dataset]):
    class Meta:
        model = Dataset
        fields = ["id", "name", "format", "licence", "sha256", "rows", "kept", "dropped", "uploaded_at"]
        read_only_fields = fields


class DatasetDetailSerializer(DatasetSerializer):
    class Meta(DatasetSerializer.Meta):
        fields = [*DatasetSerializer.Meta.fields, "report"]
        read_only_fields = fields


class RecipeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()
    epochs = serializers.IntegerField(help_text="Taken when the request names none.")
    learning_rate = serializers.FloatField(help_text="Taken when the request names none.")
    needs_gpu = serializers.BooleanField()


class StartingSerializer(serializers.Serializer[Any]):
    assistant: serializers.RelatedField = serializers.SlugRelatedField(
        slug_field="slug", queryset=Assistant.objects.active(), help_text="Whose candidate it becomes."
    )
    dataset = serializers.PrimaryKeyRelatedField(queryset=Dataset.objects.all())
    recipe = serializers.CharField(max_length=60)
    epochs = serializers.IntegerField(
        min_value=1,
        max_value=FineTuneJob.MOST_EPOCHS,
        required=False,
        help_text="How often the examples are read; the recipe's own number when left out.",
    )
    learning_rate = serializers.FloatField(
        required=False,
        help_text=f"Above 0, at most {FineTuneJob.HIGHEST_LEARNING_RATE}; the recipe's own when left out.",
    )
    base: serializers.RelatedField = serializers.SlugRelatedField(
        slug_field="name",
        queryset=ModelVersion.objects.whole(),
        required=False,
        allow_null=True,
        help_text="A whole model to begin with; the one that ships with the project when left out.",
    )

    def validate_learning_rate(self, rate: float) -> float:
        if not 0 < rate <= FineTuneJob.HIGHEST_LEARNING_RATE:
            raise ValidationError(f"This lies above 0 and at most at {FineTuneJob.HIGHEST_LEARNING_RATE}.")
        return rate

    def validate_recipe(self, name: str) -> recipes.Recipe:
        try:
            return recipes.get(name)
        except NoSuchRecipe as refusal:
            raise ValidationError(refusal.sentence) from refusal

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        recipe: recipes.Recipe = asked["recipe"]
        usual = {"epochs": recipe.epochs, "learning_rate": recipe.learning_rate}
        return {**usual, **asked, "recipe": recipe.name}


class FineTuneJobSerializer(serializers.ModelSerializer[FineTuneJob]):
    assistant: serializers.RelatedField = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    step_ends_at = serializers.DateTimeField(read_only=True, allow_null=True)
    base: serializers.RelatedField = serializers.SlugRelatedField(slug_field="name", read_only=True)

    class Meta:
        model = FineTuneJob
        fields = [
            "id",
            "assistant",
            "dataset",
            "recipe",
            "base",
            "epochs",
            "learning_rate",
            "state",
            "step",
            "done",
            "total",
            "loss",
            "note",
            "step_ends_at",
            "error",
            "hint",
            "version",
            "created_at",
            "began_at",
            "finished_at",
        ]
        read_only_fields = fields


class EvaluationSerializer(serializers.ModelSerializer[Evaluation]):
    class Meta:
        model = Evaluation
        fields = ["against", "figures", "against_figures", "findings", "is_passed", "wrong_cases", "at"]
        read_only_fields = fields


class ModelVersionSerializer(serializers.ModelSerializer[ModelVersion]):
    assistant: serializers.RelatedField = serializers.SlugRelatedField(slug_field="slug", read_only=True)

    class Meta:
        model = ModelVersion
        fields = [
            "id",
            "assistant",
            "number",
            "name",
            "state",
            "kind",
            "sha256",
            "size_bytes",
            "base_name",
            "recipe",
            "quantization",
            "created_at",
        ]
        read_only_fields = fields


class ModelVersionDetailSerializer(ModelVersionSerializer):
    evaluation = EvaluationSerializer(read_only=True, allow_null=True)

    class Meta(ModelVersionSerializer.Meta):
        fields = [
            *ModelVersionSerializer.Meta.fields,
            "base_sha256",
            "recipe_sha256",
            "datasets",
            "metrics",
            "parity",
            "licences",
            "evaluation",
            "evaluation_error",
        ]
        read_only_fields = fields


class ReasonSerializer(serializers.Serializer[Any]):
    why = serializers.CharField(max_length=200, help_text="For those who look it up later.")


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description=f"At most {KEY_LENGTH} characters; the same key again gives the same fine-tune.",
)
_PROBLEM = {(code, "application/problem+json"): OpenApiTypes.OBJECT for code in (400, 403, 409)}
_ABOUT_FILE = [
    OpenApiParameter("licence", str, description="For a body that is the file itself."),
    OpenApiParameter("name", str, description="For a body that is the file itself."),
]
_STARTING = OpenApiExample(
    "Teach the small model the practice's words",
    request_only=True,
    value={
        "assistant": "assistant",
        "dataset": "6f1c7a52-5a3f-4c2b-9a51-0c7f2f6f9d10",
        "recipe": "command-small",
        "epochs": 3,
        "learning_rate": 0.0002,
    },
)
_PROGRESS = OpenApiExample(
    "Under way",
    response_only=True,
    value={
        "id": "b7b0a1f2-6f0e-4c58-8b0a-3d6d2d1f0a11",
        "assistant": "assistant",
        "state": "running",
        "step": "train",
        "done": 120,
        "total": 800,
        "loss": 0.41,
        "step_ends_at": "2026-03-02T14:21:00Z",
        "version": None,
    },
)


class DatasetViewSet(viewsets.ReadOnlyModelViewSet[Dataset]):
    """Examples that were uploaded, each with the report on what was kept of it."""

    permission_classes = [Builds]
    throttle_classes = [WritesThrottle]
    parser_classes = [MultiPartParser, JsonLinesParser, CsvParser]
    queryset = Dataset.objects.all()
    lookup_value_converter = "uuid"
    rights = {"list": "workshop.view_dataset", "create": "workshop.add_dataset"}

    def get_serializer_class(self) -> type[DatasetSerializer]:
        return DatasetSerializer if self.action == "list" else DatasetDetailSerializer

    def get_queryset(self) -> QuerySet[Dataset]:
        return Dataset.objects.defer("report") if self.action == "list" else Dataset.objects.all()

    @extend_schema(
        request={
            "multipart/form-data": UploadFormSerializer,
            "application/x-ndjson": OpenApiTypes.BINARY,
            "text/csv": OpenApiTypes.BINARY,
        },
        parameters=_ABOUT_FILE,
        responses={201: DatasetDetailSerializer, **_PROBLEM},
    )
    def create(self, request: Request) -> Response:
        """Upload labelled messages; personal data is replaced, and the file itself is not kept.

        A table has the columns `text` and `command`, and one for each argument, such as `slot`. A line of
        JSON Lines is `{"text": "any time on friday", "commands": [{"name": "book_appointment",
        "arguments": {"slot": "friday"}}]}`. The same file again answers with what is there.
        """
        _check_length(request)
        asked = _read(UploadingSerializer, request.data)
        try:
            dataset = services.upload(**asked, actor=_account(request))
        except BadFile as refusal:
            raise ValidationError({"file": [refusal.sentence]}) from refusal
        return Response(self.get_serializer(dataset).data, status=status.HTTP_201_CREATED)


class FineTuneViewSet(viewsets.ReadOnlyModelViewSet[FineTuneJob]):
    """Trainings: each becomes a candidate of an assistant, and serves only once somebody promotes it."""

    serializer_class = FineTuneJobSerializer
    permission_classes = [Builds]
    throttle_classes = [WritesThrottle]
    queryset = FineTuneJob.objects.with_details()
    lookup_value_converter = "uuid"
    rights = {
        "list": "workshop.view_finetunejob",
        "create": "workshop.add_finetunejob",
        "cancel": "workshop.change_finetunejob",
        "resume": "workshop.change_finetunejob",
    }

    @extend_schema(
        request=StartingSerializer,
        parameters=[IDEMPOTENCY_KEY],
        responses={202: FineTuneJobSerializer, **_PROBLEM},
        examples=[_STARTING, _PROGRESS],
    )
    def create(self, request: Request) -> Response:
        """Start a fine-tune; ask again for how far it is."""
        asked = _read(StartingSerializer, request.data)
        job = jobs.start(**asked, actor=_account(request), idempotency_key=_key(request))
        where = reverse("api:fine-tune-detail", args=[job.pk])
        return Response(
            self.get_serializer(job).data, status=status.HTTP_202_ACCEPTED, headers={"Location": where}
        )

    @extend_schema(request=None, responses={200: FineTuneJobSerializer, **_PROBLEM})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop it; one that runs writes its checkpoint first."""
        return Response(self.get_serializer(jobs.cancel(job=jobs.get(pk))).data)

    @extend_schema(request=None, responses={200: FineTuneJobSerializer, **_PROBLEM})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Go on with one that was cancelled or has failed, from its checkpoint."""
        return Response(self.get_serializer(jobs.resume(job=jobs.get(pk))).data)

    @extend_schema(responses=RecipeSerializer(many=True))
    @action(detail=False, pagination_class=None)
    def recipes(self, request: Request) -> Response:
        """The recipes to choose from, those that need no graphics card first."""
        return Response(RecipeSerializer(recipes.every(), many=True).data)


_NARROWED = [
    OpenApiParameter("assistant", str, description="The address of one assistant."),
    OpenApiParameter("state", str, enum=ModelVersion.State.values),
]


@extend_schema_view(list=extend_schema(parameters=_NARROWED))
class ModelVersionViewSet(
    mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[ModelVersion]
):
    """Models that were made for the assistants: their lineage, their figures, and which of them serve."""

    permission_classes = [Builds]
    throttle_classes = [WritesThrottle]
    queryset = ModelVersion.objects.none()
    lookup_value_converter = "int"
    rights = {
        "list": "workshop.view_modelversion",
        "evaluate": "workshop.change_modelversion",
        "retire": "workshop.change_modelversion",
        "promote": "workshop.promote_modelversion",
        "roll_back": "workshop.promote_modelversion",
    }

    def get_serializer_class(self) -> type[ModelVersionSerializer]:
        return ModelVersionSerializer if self.action == "list" else ModelVersionDetailSerializer

    def get_queryset(self) -> QuerySet[ModelVersion]:
        found = ModelVersion.objects.select_related("assistant").defer(*ModelVersion.LONG)
        for name, column in (("assistant", "assistant__slug"), ("state", "state")):
            if wanted := self.request.query_params.get(name, "").replace("\0", ""):
                found = found.filter(**{column: wanted})
        return found

    def get_object(self) -> ModelVersion:
        return services.get_version(self.kwargs["pk"])

    @extend_schema(request=ReasonSerializer, responses={200: ModelVersionDetailSerializer, **_PROBLEM})
    @action(detail=True, methods=["post"])
    def promote(self, request: Request, pk: str) -> Response:
        """Let it serve its assistant from the next message on, if it passes the gate."""
        version = self.get_object()
        services.promote(version=version, **_read(ReasonSerializer, request.data), actor=_account(request))
        return self._shown(version)

    @extend_schema(request=ReasonSerializer, responses={200: ModelVersionDetailSerializer, **_PROBLEM})
    @action(detail=True, methods=["post"], url_path="roll-back")
    def roll_back(self, request: Request, pk: str) -> Response:
        """Take it out of use: the model before it serves again. Only for the version that serves."""
        version = self.get_object()
        services.take_back(version=version, **_read(ReasonSerializer, request.data), actor=_account(request))
        return self._shown(version)

    @extend_schema(request=None, responses={202: ModelVersionDetailSerializer, **_PROBLEM})
    @action(detail=True, methods=["post"])
    def evaluate(self, request: Request, pk: str) -> Response:
        """Have it scored beside the model that serves now."""
        version = services.ask_for_figures(version=self.get_object())
        return self._shown(version, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={200: ModelVersionDetailSerializer, **_PROBLEM})
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, pk: str) -> Response:
        """Put it away for good."""
        return self._shown(services.retire(version=self.get_object()))

    def _shown(self, version: ModelVersion, *, status: int = 200) -> Response:
        return Response(self.get_serializer(services.get_version(version.pk)).data, status=status)


def _read(form: type[serializers.Serializer[Any]], given: Any) -> dict[str, Any]:
    asked = form(data=given)
    asked.is_valid(raise_exception=True)
    return cast(dict[str, Any], asked.validated_data)


def _account(request: Request) -> Account:
    return cast(Account, request.user)


def _key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > KEY_LENGTH or "\x00" in key:
        raise Invalid(f"An Idempotency-Key has at most {KEY_LENGTH} characters.")
    return key


def _check_length(request: Request) -> None:
    """Refuse by its announced length what would only be read to be refused."""
    announced = request.headers.get("Content-Length", "0")
    if announced.isdigit() and int(announced) > intake.LARGEST_BYTES + ENVELOPE_BYTES:
        raise ValidationError({"file": [f"The file is larger than {intake.LARGEST_BYTES // 2**20} MB."]})


router_entries = [
    ("upload", DatasetViewSet, "upload"),
    ("fine-tune", FineTuneViewSet, "fine-tune"),
    ("models", ModelVersionViewSet, "models"),
]
