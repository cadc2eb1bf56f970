"""Sentences in the language of the person: source strings are English, `zh_CN.po` has the Chinese."""
