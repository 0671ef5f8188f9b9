"""E-mail, through whatever EMAIL_BACKEND says."""

from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

from django.core.mail import EmailMessage

from messaging.backends.base import DeliveryFailed, FateUnknown, Text


class EmailBackend:
    def send(self, text: Text) -> str:
        try:
            EmailMessage(text.subject, text.body, to=[text.to]).send()
        except SMTPRecipientsRefused as error:
            raise DeliveryFailed("the address was refused", permanent=True) from error
        except SMTPResponseException as error:
            permanent = error.smtp_code >= 500
            raise DeliveryFailed(f"the mail server said {error.smtp_code}", permanent=permanent) from error
        except ConnectionRefusedError as error:
            raise DeliveryFailed("the mail server could not be reached", permanent=False) from error
        except (SMTPException, OSError) as error:
            raise FateUnknown from error
        return ""
