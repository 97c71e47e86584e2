"""Whether the canary is worse than stable, or good enough: tests that may be looked at after every tick.

    tallying     the nouns: what a tick counted, risks, rules     mixture     evidence over effects and onsets
    likelihood   one tick -> log likelihood ratios                objective   one objective's state, tick by tick
    judging      all objectives of a release -> one judgement     planning    requests needed, before and during
    share        is the canary's share of requests its weight     dispersion  pods that differ more than chance
    persisting   states as JSON, exact to the bit         staking      how much is staked on which fault

Law: pure arithmetic on integers with ``math`` alone; no clock, no I/O, no other room. All evidence is the natural
logarithm of an e-value: if the hypothesis is true, the chance that it ever reaches log(1/a) is at most a.
"""
