# Golden values of the likelihood-ratio charts: R's surveillance::algo.glrpois and algo.glrnb, as CSV to standard output.
#
#   Rscript benchmarks/peers/glr.R > tests/golden/glr.csv
#
# The threshold is out of reach, so that R never starts anew after an alarm. "window" 0: every start since day 0 (R's
# intercept chart looks back to the first day); otherwise R is run on each stretch of that many days alone and its last
# value kept, which is the window-limited chart. "alpha" 0 is Poisson; "theta" empty: the shift is estimated.
suppressMessages(library(surveillance))
options(warn = -1)  # R warns of the first days, where a window has nothing to estimate from
set.seed(20081)

n <- 70
day <- seq_len(n)
mean_of <- list(
  sparse = 0.3 * exp(0.3 * cos(2 * pi * day / 30)),
  low    = exp(1.2 + 0.5 * cos(2 * pi * day / 35) + 0.2 * sin(2 * pi * day / 35)),
  busy   = 80 * exp(0.1 * sin(2 * pi * day / 7))
)
lift <- ifelse(day > 35 & day <= 50, 1.8, 1)

chart <- function(counts, mu, alpha, theta) {
  data <- create.disProg(week = seq_along(counts), observed = counts, state = rep(0, length(counts)))
  control <- list(range = seq_along(counts), c.ARL = 1e9, mu0 = mu, Mtilde = 1, M = -1, change = "intercept",
                  theta = theta, dir = "inc", ret = "value")
  if (alpha > 0) {
    as.vector(algo.glrnb(data, control = c(control, alpha = alpha))$upperbound)
  } else {
    as.vector(algo.glrpois(data, control = control)$upperbound)
  }
}

cat("series,alpha,theta,window,day,count,mu,value\n")
for (name in names(mean_of)) {
  mu <- mean_of[[name]]
  for (alpha in c(0, 0.05, 0.4)) {
    counts <- if (alpha > 0) rnbinom(n, mu = mu * lift, size = 1 / alpha) else rpois(n, mu * lift)
    for (theta in list(NULL, 0.4)) {
      for (window in c(0, 14)) {
        if (window > 0 && !is.null(theta)) next
        value <- if (window == 0) {
          chart(counts, mu, alpha, theta)
        } else {
          sapply(day, function(end) {
            days <- max(1, end - window + 1):end
            tail(chart(counts[days], mu[days], alpha, theta), 1)
          })
        }
        cat(sprintf("%s,%g,%s,%d,%d,%d,%.12g,%.8g\n", name, alpha, if (is.null(theta)) "" else format(theta), window,
                    day - 1L, as.integer(counts), mu, value), sep = "")
      }
    }
  }
}
