"""The parts of the campaign that use the platform's models, each run as a process of its own."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingplatform.settings")
django.setup()
