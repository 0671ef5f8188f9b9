from django.apps import AppConfig


class EyecareConfig(AppConfig):
    name = "eyecare"
    verbose_name = "Eyecare"
