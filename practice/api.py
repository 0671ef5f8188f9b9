"""The practice's notices over the API: what every patient should read."""

from django.db.models import QuerySet
from rest_framework import serializers, viewsets
from rest_framework.permissions import AllowAny

from practice.models import Notice


class NoticeSerializer(serializers.ModelSerializer[Notice]):
    class Meta:
        model = Notice
        fields = ["id", "title", "body", "starts_at", "ends_at"]
        read_only_fields = fields


class NoticeViewSet(viewsets.ReadOnlyModelViewSet[Notice]):
    """Notices that count now, newest first; everybody may read them."""

    serializer_class = NoticeSerializer
    permission_classes = [AllowAny]
    queryset = Notice.objects.none()

    def get_queryset(self) -> QuerySet[Notice]:
        return Notice.objects.current()


router_entries = [("notices", NoticeViewSet, "notice")]
