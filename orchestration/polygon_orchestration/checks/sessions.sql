-- The sessions that are there, for the checks that know the calendar.
SELECT DISTINCT date FROM LANDING.GROUPED_DAILY WHERE market = 'stocks' ORDER BY date
