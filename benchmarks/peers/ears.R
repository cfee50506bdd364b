# Golden values of EARS: R's surveillance::earsC on series made here, written as one CSV to standard output.
#
#   Rscript benchmarks/peers/ears.R > tests/golden/ears.csv
#
# One row for each day, method and setting; days are counted from 0. Nothing in the last two columns where R does not
# judge the day, "NaN" and "NA" where it judges and has no answer.
suppressMessages(library(surveillance))
set.seed(20130)

series <- list(
  sparse  = rpois(80, 0.4),
  low     = rnbinom(80, mu = 3, size = 2),
  busy    = rpois(80, 60),
  rise    = c(rpois(40, 5), rpois(20, 12), rpois(20, 5)),
  zeros   = c(rpois(12, 2), rep(0, 25), 4, 0, 0, 7, rpois(39, 1)),
  steady  = c(rep(6, 20), 7, 6, 6, 9, rep(6, 20), 0, 30, rep(6, 34)),
  large   = round(1e6 + 1e4 * rnorm(80))
)
settings <- list(
  list(method = "C1", alpha = 0.001, baseline = 7, minSigma = 0),
  list(method = "C2", alpha = 0.001, baseline = 7, minSigma = 0),
  list(method = "C3", alpha = 0.025, baseline = 7, minSigma = 0),
  list(method = "C1", alpha = 0.05,  baseline = 10, minSigma = 0),
  list(method = "C2", alpha = 0.01,  baseline = 5, minSigma = 0.5),
  list(method = "C3", alpha = 0.001, baseline = 10, minSigma = 0),
  list(method = "C3", alpha = 0.1,   baseline = 5, minSigma = 1)
)

cat("series,method,alpha,baseline_days,min_sigma,day,count,upper,alarm\n")
for (name in names(series)) {
  counts <- series[[name]]
  data <- sts(observed = matrix(counts, ncol = 1), start = c(2020, 1), frequency = 365)
  for (one in settings) {
    found <- earsC(data, control = one)
    judged <- found@control$range
    upper <- alarm <- rep("", length(counts))
    upper[judged] <- sprintf("%.10g", as.vector(upperbound(found)))
    alarm[judged] <- as.character(as.vector(alarms(found)))
    cat(sprintf("%s,%s,%g,%d,%g,%d,%d,%s,%s\n", name, one$method, one$alpha, one$baseline, one$minSigma,
                seq_along(counts) - 1L, as.integer(counts), upper, alarm), sep = "")
  }
}
