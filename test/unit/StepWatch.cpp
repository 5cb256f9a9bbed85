// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A counting `operator new`, and a filter that turns system calls into a signal.
#include "test/unit/StepWatch.h"

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace tower;

namespace {

constexpr int reportDescriptor = 99; // a copy of standard error, the only file that may be written to

std::atomic<int64_t> allocations{0};

void forbidden(int, siginfo_t *info, void *) {
  char line[64] = "system call ", *number = line + std::strlen(line);
  char *end = std::to_chars(number, std::end(line) - 1, info->si_syscall).ptr;
  *end++ = '\n';
  (void)!::write(reportDescriptor, line, static_cast<size_t>(end - line));
  ::_exit(3);
}

sock_filter load(size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)); }

} // namespace

#if defined(__SANITIZE_ADDRESS__)
// The sanitizer has an `operator new` of its own, which pairs with its `delete`; it tells of each allocation.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void *, size_t),
                                                         void (*)(const volatile void *));
static const int installed = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void *, size_t) { allocations.fetch_add(1, std::memory_order_relaxed); },
    [](const volatile void *) {});
#else
static void *counted(void *memory) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return memory ? memory : throw std::bad_alloc();
}
void *operator new(size_t size) { return counted(std::malloc(size ? size : 1)); }
void *operator new(size_t size, std::align_val_t alignment) {
  auto align = static_cast<size_t>(alignment);
  return counted(std::aligned_alloc(align, (size + align) / align * align));
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void *memory, size_t, std::align_val_t) noexcept { std::free(memory); }
#endif

int64_t test::allocationCount() { return allocations.load(); }

bool test::forbidSystemCalls(bool exceptFutexes) {
  struct sigaction action {};
  action.sa_sigaction = forbidden;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSYS, &action, nullptr);
  if (::dup2(STDERR_FILENO, reportDescriptor) < 0)
    return false;

  std::vector<uint32_t> allowed{SYS_exit_group, SYS_exit, SYS_clock_gettime};
  // What a thread of the pool does first: it may be on its way still. And what sanitizers do where a process ends.
  allowed.insert(allowed.end(), {SYS_set_robust_list, SYS_rseq, SYS_rt_sigprocmask, SYS_sigaltstack});
  if (exceptFutexes)
    allowed.push_back(SYS_futex);
  std::vector<sock_filter> program{load(offsetof(seccomp_data, nr))};
  for (uint32_t number : allowed) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 3));
  program.push_back(load(offsetof(seccomp_data, args)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, reportDescriptor, 0, 1));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP));
  sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0;
}

void test::report(const std::string &line) {
  std::string text = line + "\n";
  (void)!::write(reportDescriptor, text.data(), text.size());
}
