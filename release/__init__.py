"""What ``make version`` and ``make release`` do: one version everywhere, and files to publish, reproducibly.

    version    writes the version where it stands, turns changes/ into a section of the changelog, renders manifests/
    build      makes dist/ of a commit: wheel, sdist, chart, manifests, what changed, checksums

Law: nothing is uploaded, signed, tagged or committed here; that is what people do (docs/releasing.md).
"""
