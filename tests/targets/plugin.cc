// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A library with C++ names, loaded while its process is already being watched.
#include <string>
#include <vector>

namespace shop
{
volatile int sink;

template <typename T> class basket
{
      public:
	__attribute__((noinline)) void pay(T amount, void (*callee)())
	{
		items.push_back(amount);
		callee();
		sink = sink + 1;
	}

      private:
	std::vector<T> items;
};
} // namespace shop

extern "C" void plugin_call(void (*callee)())
{
	shop::basket<long> b;

	b.pay(3, callee);
	shop::sink = shop::sink + 1;
}
