"""Settings: environment variables decide, `.env` is read if present; docs/settings.md lists them all."""

from pathlib import Path

from celery.schedules import crontab
from csp.constants import NONCE, NONE, SELF
from django.urls import reverse_lazy
from environs import Env

from eyecare.navigation import UNFOLD  # noqa: F401 - read by django-unfold

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env(eager=False)
env.read_env(BASE_DIR / ".env", recurse=False)

VAR_DIR = Path(env.str("VAR_DIR", str(BASE_DIR / "var"))).absolute()
"""Everything that a running system writes, in development: database, queue, vectors, uploads."""

DEBUG = env.bool("DEBUG", False)
DEMO = env.bool("DEMO", False)
"""Shows the demo log-ins, the phone simulator and the demo checkout; never with real patients."""
SECRET_KEY = env.str("SECRET_KEY", "demo-only-key-that-is-refused-outside-the-demo" if DEMO or DEBUG else "")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
SITE_URL = env.str("SITE_URL", "http://127.0.0.1:8000")
"""Where patients reach the portal: links in texts, e-mail and checkout start with it."""

DATABASES = {"default": env.dj_db_url("DATABASE_URL", f"sqlite:///{VAR_DIR / 'eyecare.sqlite3'}")}
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "filesystem://localhost//")
CACHE_URL = env.str("CACHE_URL", "")
MESSAGING_BACKEND = env.str("MESSAGING_BACKEND", "messaging.backends.simulator.SimulatorBackend")
PAYMENTS_BACKEND = env.str("PAYMENTS_BACKEND", "payments.backends.demo.DemoBackend")
MESSAGING_RECEIVER = "chatbot.sms.receive"
"""Who answers a text that messaging itself has no answer for: called as receive(inbound_text_id)."""

TWILIO_ACCOUNT_SID = env.str("TWILIO_ACCOUNT_SID", "")
TWILIO_AUTH_TOKEN = env.str("TWILIO_AUTH_TOKEN", "")
TWILIO_FROM_NUMBER = env.str("TWILIO_FROM_NUMBER", "")
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", "")
STRIPE_API_BASE = env.str("STRIPE_API_BASE", "")

ASSISTANT_ENGINE = env.str(
    "ASSISTANT_ENGINE", "model", validate=lambda name: name in {"model", "rules", "retrieval"}
)
LLM_BASE_URL = env.str("LLM_BASE_URL", "http://127.0.0.1:8100/v1")
LLM_API_KEY = env.str("LLM_API_KEY", "")
LLM_MODEL = env.str("LLM_MODEL", "eyecare-command")
LLM_MODEL_PATH = env.str("LLM_MODEL_PATH", str(BASE_DIR / "finetune" / "shipped" / "eyecare-command.gguf"))
MODELS_DIR = Path(env.str("MODELS_DIR", str(VAR_DIR / "models"))).absolute()
"""Models beside the one of LLM_MODEL_PATH, with their manifests; every model host reads it."""
LLM_PROMPT_STYLE = env.str(
    "LLM_PROMPT_STYLE", "hinted", validate=lambda name: name in {"compact", "hinted", "full"}
)
LLM_CONSTRAINT = env.str(
    "LLM_CONSTRAINT", "grammar", validate=lambda name: name in {"grammar", "json_schema", "none"}
)
LLM_DEADLINE_SECONDS = env.float("LLM_DEADLINE_SECONDS", 2.0)
LLM_CONTEXT_TOKENS = env.int("LLM_CONTEXT_TOKENS", 1024)
LLM_QUEUE_LIMIT = env.int("LLM_QUEUE_LIMIT", 32)
LLM_THREADS = env.int("LLM_THREADS", 0)
"""Threads of the model host; 0 takes every core."""
LLM_MEMORY_MB = env.int("LLM_MEMORY_MB", 0)
"""What loaded models and the conversations they keep may take; 0 takes six tenths of the memory."""
LLM_PARALLEL = env.int("LLM_PARALLEL", 16)
"""Answers that the model host writes at the same time."""
LLM_CACHE_TOKENS = env.int("LLM_CACHE_TOKENS", 0)
"""Tokens that the conversations of one model hold in its cache together; 0 takes four contexts."""
FINE_TUNES_AT_ONCE = env.int("FINE_TUNES_AT_ONCE", 1)
"""Trainings that one machine runs at the same time; each takes a place of its worker while it lasts."""
LLM_BACKEND = env.str("LLM_BACKEND", "chatbot.backends.openai.OpenAIBackend")
EMBEDDINGS_BACKEND = env.str("EMBEDDINGS_BACKEND", "chatbot.backends.openai.OpenAIEmbedder")
EMBEDDINGS_BASE_URL = env.str("EMBEDDINGS_BASE_URL", "http://127.0.0.1:8100/v1")
EMBEDDINGS_MODEL = env.str("EMBEDDINGS_MODEL", "all-MiniLM-L6-v2")
CHROMA_URL = env.str("CHROMA_URL", "http://127.0.0.1:8200")
KNOWLEDGE_FLOOR = env.float("KNOWLEDGE_FLOOR", 0.49)
"""Likeness (cosine, and a little for shared words) under which a passage is no answer."""

HTTPS = env.bool("HTTPS", False)
PHONENUMBER_DEFAULT_REGION = env.str("PHONE_REGION", "US")
EMAIL_BACKEND = env.str("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "frontdesk@eyecare.example")
LOG_LEVEL = env.str("LOG_LEVEL", "INFO")
STAFF_MFA = env.bool("STAFF_MFA", not (DEMO or DEBUG))
"""Whether staff need a second factor for the admin."""
TEST_DATABASE_NAME = env.str("TEST_DATABASE_NAME", "")

env.seal()

if not SECRET_KEY:
    raise SystemExit(
        "SECRET_KEY is not set. Give the portal a long random SECRET_KEY, or set DEMO=1 for the demo."
    )

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "csp",
    "django_celery_beat",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "phonenumber_field",
    "rest_framework",
    "rest_framework.authtoken",
    "practice",
    "patients",
    "messaging",
    "billing",
    "payments",
    "appointments",
    "orders",
    "chatbot",
    "workshop",
    "eyecare",
]

MIDDLEWARE = [
    "eyecare.health.Health",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "practice.middleware.PracticeTime",
    "practice.middleware.AuditContext",
    "patients.middleware.CurrentPatient",
    "eyecare.middleware.Refusals",
    "eyecare.staff_door.StaffDoor",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "eyecare.urls"
ASGI_APPLICATION = "eyecare.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "patients.Account"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "eyecare.context.portal",
            ]
        },
    }
]

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Immediate transactions take the write lock at their start: two writers queue, none deadlocks.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"].setdefault("CONN_MAX_AGE", 0)
DATABASES["default"].setdefault("TEST", {})
if TEST_DATABASE_NAME:
    DATABASES["default"]["TEST"]["NAME"] = TEST_DATABASE_NAME

CACHES = {
    "default": {
        "BACKEND": "eyecare.cache.SpareRedisCache",
        "LOCATION": CACHE_URL,
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
    if CACHE_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "patients.accounts.PortalAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "login"
AXES_ENABLE_ADMIN = True
AXES_LOCKOUT_TEMPLATE = "account/locked.html"

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 60 * 60
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if HTTPS:
    SECURE_SSL_REDIRECT = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True

CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/api/v1/docs/"],
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF, "https://checkout.stripe.com"],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
        "base-uri": [SELF],
    },
}

LANGUAGE_CODE = "en-us"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
"""The wall clock of a request is the practice's own: practice.middleware.PracticeTime activates it."""

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = DEBUG or DEMO
MEDIA_ROOT = VAR_DIR / "media"
PHONENUMBER_DB_FORMAT = "E164"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
INSTALLED_APPS.insert(0, "django.forms")

if CELERY_BROKER_URL.startswith("filesystem:"):
    QUEUE_DIR = VAR_DIR / "queue"
    for folder in ("messages", "processed", "control"):
        (QUEUE_DIR / folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(QUEUE_DIR / "messages"),
        "data_folder_out": str(QUEUE_DIR / "messages"),
        "processed_folder": str(QUEUE_DIR / "processed"),
        "control_folder": str(QUEUE_DIR / "control"),
    }
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "send due messages": {"task": "messaging.tasks.sweep", "schedule": 15.0},
    "answer texts that were missed": {"task": "messaging.tasks.sweep_inbound", "schedule": 30.0},
    "give new examples their vectors": {"task": "chatbot.tasks.sweep_examples", "schedule": 30.0},
    "answer chat messages that were missed": {"task": "chatbot.tasks.answer_missed", "schedule": 30.0},
    "queue due reminders": {"task": "appointments.tasks.sweep_reminders", "schedule": 30.0},
    "give back times that were held": {"task": "appointments.tasks.sweep_holds", "schedule": 30.0},
    "offer times that came free": {"task": "appointments.tasks.sweep_openings", "schedule": 30.0},
    "tell those whose days on the waitlist are over": {
        "task": "appointments.tasks.end_wishes",
        "schedule": crontab(hour=14, minute=15),
    },
    "ask patients to come again": {"task": "appointments.tasks.ask_due_recalls", "schedule": 300.0},
    "work through the rules for recalls": {
        "task": "appointments.tasks.work_through_recalls",
        "schedule": 30.0,
    },
    "derive all recalls anew": {
        "task": "appointments.tasks.refresh_recalls",
        "schedule": crontab(hour=8, minute=15),
    },
    "work on payment events that were missed": {"task": "payments.tasks.sweep_events", "schedule": 30.0},
    "carry on statement runs": {"task": "billing.tasks.sweep_runs", "schedule": 30.0},
    "index changed documents": {"task": "chatbot.tasks.sweep_documents", "schedule": 30.0},
    "compare the documents with their vectors": {
        "task": "chatbot.tasks.reconcile_documents",
        "schedule": crontab(hour=8, minute=30),
    },
    "carry on trainings and their figures": {"task": "workshop.tasks.sweep", "schedule": 30.0},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 20,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "eyecare.problems.problem_details",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["eyecare.parsers.JSONParser"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Eyecare",
    "DESCRIPTION": "Appointments, lens orders, dues and the assistant of an eye-care practice.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "ModelVersionStateEnum": "workshop.models.ModelVersion.State",
        "ModelVersionKindEnum": "workshop.models.ModelVersion.Kind",
    },
}


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {"httpx": {"level": "WARNING"}, "axes": {"level": "WARNING"}},
}
