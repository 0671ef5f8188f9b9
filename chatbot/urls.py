"""The chat's pages."""

from django.urls import include, path

from chatbot import views

app_name = "chatbot"
pages = [
    path("", views.chat, name="chat"),
    path("messages/", views.say, name="say"),
    path("stream/<int:message_id>/", views.stream, name="stream"),
    path("news/", views.news, name="news"),
]
urlpatterns = [
    *pages,
    path("documents/<slug:slug>/", views.document, name="document"),
    path("<slug:assistant>/", include(pages)),
]
