"""What is true: frozen dataclasses and deterministic functions. Nothing here reads a clock, a network or a secret.

Which module answers which question:

Words and values
    `words`                 which words cross the wire, and what each means
    `identifiers`           is this an AGB code, a UZOVI code, a postcode, a month?
    `codes`                 what does a receipt's code tell the sender, in Dutch and in English?
    `events`                what are the folds told?
    `facts`                 what does the region fold say, and to whom?
    `logged`                who said it, and where does it stand in the one order?
    `frozen`                how a dataclass is frozen at the price of an open one

Records and versions
    `region`                what follows from one event: the only judge, and where every rule is called
    `case`                  what may a rule look at, and where does it say what follows?
    `region_state`          what does a region know?
    `shards`                how is it kept in parts that a snapshot can carry?
    `versions`              which record is this, and is this version new?
    `receipts`              what became of a record?
    `care_records`          what do records of a client do: registration, waiting, delivery, end, move?
    `registrations`         which registrations and which care does a region hold?
    `supply_records`        what do records about capacity, plan and colour do?
    `supply_rows`           which measures, figures, guidelines and colours does a region hold?
    `mandates`              who may speak for a provider?
    `contracts`             which insurer has contracted which provider, and where?
    `takeovers`             what happens when a provider changes its package?
    `reference`             which postcode lies in which region, and who is who?
    `region_day`            what does a day ask, and in which order?
    `region_opening`        with what does a region begin that comes later?
    `upcasts`               how is an older state read?

Load and colours
    `birth_distribution`    when will this child be born, and how much of her care falls in a period?
    `birth_weights`         births around the due date (a committed table)
    `load_forecast`         how much care will be owed, per month, by region and provider?
    `chance`                how likely is it that a load exceeds a capacity?
    `normal_table`          quantiles of the normal distribution (a committed table)
    `region_forecast`       what evidence do a region's books give together?
    `colour_code`           which colour follows, why, and by which clause?
    `region_colours`        when is a colour judged anew, and who is told?
    `minimal_care_check`    who did not get minimal care, seen afterwards?

Capacity and claims
    `capacity`              what can each provider deliver, and how much of what it says counts?
    `full_claim`            a provider says that it is full: is it?
    `capacity_requests`     who is asked for capacity, and who has not answered?
    `capacity_statements`   what do planners hear: the region's figures, a provider's room, the inflow of carers?
    `carer_pools`           which carers are declared in several places?
    `pool_rows`             which declarations name a group of carers?

Alerts and findings
    `escalation`            who has to know, once, in which words, and who is next?
    `findings`              which agreement is not kept?
    `guideline_check`       was the intake guideline kept to?
    `follow_up_rows`        what stays in sight until somebody acted?

Waiting list, allocation and fair share
    `waiting_list`          who waits, and which proposals stand?
    `rounds`                when is the list distributed, and for which month?
    `allocation`            who is asked to carry whom, and why nobody else?
    `room_filling`          who changes places so that rooms left half empty hold more?
    `packing`               how full can a few rooms be together?
    `proposals`             what do answers and the coordinator's decisions do?
    `client_status`         what may a waiting client be told?
    `fair_share`            what should each provider carry, and what did it carry?
    `share_statements`      what is stated when a month closes, and to whom?
    `statements`            what may one reader see, and how does a provider check its own line?
    `statement_root`        was everybody given the same statements?

Matching
    `identity`              what does the hub know of who somebody is?
    `matching`              which events touch the match fold?
    `match_state`           what does it remember?
    `match_table`           which rows share a token?
    `duplicates`            which records belong to one client?
    `match_model`           how alike are two encodings, and does one person explain that better than two?
    `warm_model`            with which model does the fold start (generated)?
    `link_rows`             which links does a region hold, and who has heard of them?
    `duplicate_signals`     what do people hear of a duplicate, and when?

Plan and rules
    `region_plan`           which threshold, margin and deadline holds on this day?
    `rule_versions`         which version of the rules is in force?
"""
