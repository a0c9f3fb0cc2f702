from uvnet._accept.intake cimport Intake

# A ServerStatistics.
cdef object statistics_of(Intake intake)
