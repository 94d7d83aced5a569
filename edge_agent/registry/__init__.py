"""Where models come from, and how far each version has come on this gateway.

`registry` is the seam: a folder or an MLflow server behind the same few calls.
`choosing` says which version a gateway shall run, `lifecycle` how far a version may go,
`cache` keeps versions and their stages on disk, `adoption` carries one version through
its life, `rollout` decides for a fleet. `passports` outlive their bundles, and
`lineage` leads from an alarm to the training and the approver of its model.
"""
