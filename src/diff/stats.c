/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <math.h>
#include <stdlib.h>

#include "diff/stats.h"

double stats__normal_tail(double z)
{
	return 0.5 * erfc(z / sqrt(2));
}

/* By bisection: it is called a few times, and erfc is exact far out in the tail. */
double stats__normal_quantile(double tail)
{
	double low = -40, high = 40, mid;

	for (int i = 0; i < 100; i++) {
		mid = (low + high) / 2;
		if (stats__normal_tail(mid) > tail)
			low = mid;
		else
			high = mid;
	}
	return (low + high) / 2;
}

/* The incomplete beta function's continued fraction (Lentz). */
static double beta_fraction(double a, double b, double x)
{
	double tiny = 1e-300, c = 1, d = 1 - (a + b) * x / (a + 1), h, step, num;

	d = 1 / (fabs(d) < tiny ? tiny : d);
	h = d;
	for (int m = 1; m <= 300; m++) {
		for (int odd = 0; odd < 2; odd++) {
			num = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
				  : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
			d = 1 + num * d;
			c = 1 + num / c;
			d = 1 / (fabs(d) < tiny ? tiny : d);
			c = fabs(c) < tiny ? tiny : c;
			step = c * d;
			h *= step;
		}
		if (fabs(step - 1) < 1e-14)
			break;
	}
	return h;
}

static double incomplete_beta(double a, double b, double x)
{
	double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));

	if (x <= 0 || x >= 1)
		return x <= 0 ? 0 : 1;
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

static double t_tail(double t, double df)
{
	return 0.5 * incomplete_beta(df / 2, 0.5, df / (df + t * t));
}

double stats__t_quantile(double tail, double df)
{
	double low = 0, high = 1e7, mid;

	if (df > 1e6)
		return stats__normal_quantile(tail);
	for (int i = 0; i < 200 && high - low > 1e-10 * high; i++) {
		mid = (low + high) / 2;
		if (t_tail(mid, df) > tail)
			low = mid;
		else
			high = mid;
	}
	return (low + high) / 2;
}

/* splitmix64 */
uint64_t rng__next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t rng__below(struct rng *r, uint32_t n)
{
	return (uint32_t)((rng__next(r) >> 32) * n >> 32);
}

static double mean_of(const double *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return n ? sum / (double)n : 0;
}

static double autocovariance(const double *v, size_t n, double mean, size_t lag)
{
	double sum = 0;

	for (size_t i = lag; i < n; i++)
		sum += (v[i] - mean) * (v[i - lag] - mean);
	return sum / (double)n;
}

/* The length that is best for the variance of a mean when the series is AR(1) (Carlstein 1986). */
size_t stats__block_length(const double *series, size_t n)
{
	double mean = mean_of(series, n), variance, rho, length;

	if (n < 8)
		return 1;
	variance = autocovariance(series, n, mean, 0);
	rho = variance > 0 ? autocovariance(series, n, mean, 1) / variance : 0;
	if (rho <= 0)
		return 1;
	if (rho > 0.95)
		rho = 0.95;
	length = cbrt(4 * rho * rho / ((1 - rho * rho) * (1 - rho * rho)) * (double)n);
	if (length < 1.5)
		return 1;
	return length > (double)n / 4 ? n / 4 : (size_t)(length + 0.5);
}

double stats__mean_variance(const double *series, size_t n, size_t block)
{
	double mean = mean_of(series, n), own, sum;

	if (n < 2)
		return 0;
	own = autocovariance(series, n, mean, 0);
	sum = own;
	for (size_t lag = 1; lag < block && lag < n; lag++)
		sum += 2 * (1 - (double)lag / (double)block) * autocovariance(series, n, mean, lag);
	return (sum > own ? sum : own) / (double)(n - 1);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void stats__sort(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
}
