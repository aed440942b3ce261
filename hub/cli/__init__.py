"""The commands by subject. Each asks one part of the hub to do its work; heavy imports wait until then.

    `local`      demo, simulate
    `cluster`    topics, run, config, doctor, dump, generation
    `sender`     send, trace, dlq
    `connect`    edge, waitlist, prognosis
    `audit`      audit, statements, whatif
    `contracts`  schemas, validate, docs
    `measure`    match, allocate, backtest, bench

Every command has an example under its help, and a test that tries its words and options.
"""
