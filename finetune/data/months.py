"""The months as patients write them, in English and Spanish."""

MONTHS = {
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December"),
    "es": ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre",
           "noviembre", "diciembre"),
}  # fmt: skip

MONTH_WORDS = {
    form.casefold(): (language, len(form) == 3)
    for language, months in MONTHS.items()
    for month in months
    for form in (month, month[:3])
}
"""Each form, with its language and whether it is the short one."""

MONTH = "(?:" + "|".join(sorted(MONTH_WORDS, key=len, reverse=True)) + r")\b\.?"
