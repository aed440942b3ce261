"""A small world for tests: two regions, a tenant of every role."""

from hub.domain.reference import Reference, Region, Role, Tenant

REFERENCE = Reference(
    version=1,
    log_partitions=2,
    regions=(Region("KSV-01", "Amstelmeer", 0, ("3311", "7119")), Region("KSV-02", "Vechtrand", 1, ("3311", "3332"))),  # type: ignore[arg-type]
    postcodes=(("1011", "KSV-01"), ("1012", "KSV-01"), ("3511", "KSV-02"), ("3512", "KSV-02")),  # type: ignore[arg-type]
    tenants=tuple(
        Tenant(tenant, role, region, insurer)  # type: ignore[arg-type]
        for tenant, role, region, insurer in (
            ("pkg-a", Role.PACKAGE, None, None),
            ("pkg-b", Role.PACKAGE, None, None),
            ("ins-3311", Role.INSURER, None, "3311"),
            ("ins-7119", Role.INSURER, None, "7119"),
            ("ins-3332", Role.INSURER, None, "3332"),
            ("wait-a", Role.WAITLIST, None, None),
            ("ksv-01", Role.KSV, "KSV-01", None),
            ("ksv-02", Role.KSV, "KSV-02", None),
            ("office", Role.OFFICE, None, None),
            ("clock", Role.CLOCK, None, None),
            ("ops", Role.OPS, None, None),
            ("operator", Role.OPERATOR, None, None),
            ("bo", Role.BO, None, None),
        )
    ),
)
