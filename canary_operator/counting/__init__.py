"""How many requests each version got since a weight was in force, and how many of them were bad.

    asking      what to ask for, and how answers are read
    matching    which label values are meant         histograms   buckets into two counters
    selecting   series -> counters that can be counted, or why not
    replicas    one replica of a Prometheus pair     watermark    how far both versions are known
    folding     state + counters -> state + ticks    growing      what one scrape of a process brought
    presence    is there anything to count           persisting   the state as JSON
    parting     a tick by strata and by pods         tallies      the nouns of all of them

Law: pure and exact. Integers, never rates; time is an argument. A doubt loses a count and never invents one.
"""
