// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which step fails, and the functions of libc that the linker's --wrap puts in
 * the place of those that can run out of something, or that may change errno.
 * POSIX lets all do so that do not fail; old free() and every logger do.
 */

#include <pthread.h>
#include <search.h>
#include <stdlib.h>

#include "fake-steps.h"

struct fake_fork_handlers fake_fork_handlers;

void fake_spoil_errno(void)
{
	errno = FAKE_ANY_ERRNO;
}

/* Without a lock, which would order threads that the library must order. */
bool fake_fails(enum fake_step step)
{
	unsigned int n = __atomic_add_fetch(&fake.steps, 1, __ATOMIC_RELAXED);

	if (!fake.fail_at || n < fake.fail_at ||
	    (n > fake.fail_at && !fake.fail_on)) {
		fake_spoil_errno();
		return false;
	}
	if (n > fake.fail_at) {
		errno = FAKE_LATER_ERRNO;
		return true;
	}
	/* Memory runs out with an errno of its own. */
	if (step == FAKE_MEMORY)
		fake.fail_errno = ENOMEM;
	fake.failed = step;
	errno = fake.fail_errno;
	return true;
}

typedef int compare_fn(const void *, const void *);
typedef void handler_fn(void);

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void __real_free(void *addr);
void *__real_tsearch(const void *key, void **root, compare_fn *compare);
void *__real_tdelete(const void *key, void **root, compare_fn *compare);
void *__real_tfind(const void *key, void *const *root, compare_fn *compare);
int __real_pthread_mutex_init(pthread_mutex_t *mutex,
			      const pthread_mutexattr_t *attr);
int __real_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __real_pthread_setcancelstate(int state, int *before);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void __wrap_free(void *addr);
void *__wrap_tsearch(const void *key, void **root, compare_fn *compare);
void *__wrap_tdelete(const void *key, void **root, compare_fn *compare);
void *__wrap_tfind(const void *key, void *const *root, compare_fn *compare);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex,
			      const pthread_mutexattr_t *attr);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_setcancelstate(int state, int *before);
int __wrap_pthread_atfork(handler_fn *before, handler_fn *in_parent,
			  handler_fn *in_child);

void *__wrap_malloc(size_t size)
{
	return fake_fails(FAKE_MEMORY) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fake_fails(FAKE_MEMORY) ? NULL : __real_calloc(n, size);
}

void __wrap_free(void *addr)
{
	fake_spoil_errno();
	__real_free(addr);
}

void *__wrap_tsearch(const void *key, void **root, compare_fn *compare)
{
	return fake_fails(FAKE_MEMORY) ? NULL
				       : __real_tsearch(key, root, compare);
}

void *__wrap_tdelete(const void *key, void **root, compare_fn *compare)
{
	fake_spoil_errno();
	return __real_tdelete(key, root, compare);
}

void *__wrap_tfind(const void *key, void *const *root, compare_fn *compare)
{
	fake_spoil_errno();
	return __real_tfind(key, root, compare);
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex,
			      const pthread_mutexattr_t *attr)
{
	return fake_fails(FAKE_MEMORY) ? ENOMEM
				       : __real_pthread_mutex_init(mutex, attr);
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
	fake_spoil_errno();
	return __real_pthread_mutex_destroy(mutex);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	fake_spoil_errno();
	return __real_pthread_mutex_lock(mutex);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	fake_spoil_errno();
	return __real_pthread_mutex_unlock(mutex);
}

int __wrap_pthread_setcancelstate(int state, int *before)
{
	fake_spoil_errno();
	return __real_pthread_setcancelstate(state, before);
}

int __wrap_pthread_atfork(handler_fn *before, handler_fn *in_parent,
			  handler_fn *in_child)
{
	fake_register_fork_handlers();
	fake_fork_handlers.before = before;
	fake_fork_handlers.in_parent = in_parent;
	fake_fork_handlers.in_child = in_child;
	return __real_pthread_atfork(before, in_parent, in_child);
}
