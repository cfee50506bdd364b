# Farrington flexible by the R package surveillance, with the settings of Noufaily et al. (2013).
#
# Rscript farrington_flexible.R counts.csv FIRST LAST ALPHA answers.csv
#
# counts.csv has one series a row and no header; FIRST and LAST are 0-based columns, all weeks between are judged.
# Writes one row for each series and week and prints the seconds that the call itself took.

suppressMessages(library(surveillance))

arguments <- commandArgs(trailingOnly = TRUE)
counts <- t(as.matrix(read.csv(arguments[1], header = FALSE)))
weeks <- (as.integer(arguments[2]):as.integer(arguments[3])) + 1L
series <- sts(observed = counts, start = c(1, 1), frequency = 52)
settings <- list(
  range = weeks, noPeriods = 10, b = 5, w = 3, pastWeeksNotIncluded = 26, reweight = TRUE, weightsThreshold = 2.58,
  trend = TRUE, pThresholdTrend = 1, thresholdMethod = "nbPlugin", alpha = as.numeric(arguments[4]),
  powertrans = "2/3", glmWarnings = FALSE, limit54 = c(5, 4)
)
before <- proc.time()[["elapsed"]]
judged <- suppressWarnings(farringtonFlexible(series, control = settings))
elapsed <- proc.time()[["elapsed"]] - before
kept <- control(judged)
answers <- data.frame(
  series = rep(seq_len(ncol(counts)) - 1L, each = length(weeks)), week = rep(weeks - 1L, ncol(counts)),
  expected = as.vector(kept$mu0Vector), dispersion = as.vector(kept$phiVector),
  upper = as.vector(upperbound(judged)), p = as.vector(kept$pvalue),
  alarm = as.integer(!is.na(as.vector(alarms(judged))) & as.vector(alarms(judged)) > 0)
)
write.csv(format(answers, digits = 12, trim = TRUE), arguments[5], row.names = FALSE, quote = FALSE)
cat(elapsed, as.character(packageVersion("surveillance")), as.character(getRversion()), "\n")
