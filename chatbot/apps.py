from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class ChatbotConfig(AppConfig):
    name = "chatbot"
    verbose_name = "Assistant"

    def ready(self) -> None:
        autodiscover_modules("chat_tools")
