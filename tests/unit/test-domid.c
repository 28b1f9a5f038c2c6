// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the processor tells of the own domid, and shares with this domain. */

#include <string.h>

#include <xen/arch-x86/cpuid.h>

#include "fake.h"

#define OWN 7u

/* A domain in which Xen tells the domid. */
static void be_pvh(void)
{
	fake.cpuid_base = XEN_CPUID_FIRST_LEAF;
	fake.cpuid_leaves = 4;
	fake.cpuid_features =
		XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT;
	fake.cpuid_domid = OWN;
}

static void the_processor_tells(void **state)
{
	uint32_t domid = 99;

	(void)state;
	be_pvh();
	assert_true(gntshr_cpuid_domid(&domid));
	assert_int_equal(domid, OWN);

	/* Hyper-V's leaves are before Xen's. */
	fake.cpuid_base = XEN_CPUID_FIRST_LEAF + 0x100;
	fake.cpuid_domid = 0;
	assert_true(gntshr_cpuid_domid(&domid));
	assert_int_equal(domid, 0);
}

static void or_it_does_not(void **state)
{
	uint32_t domid = 99;

	(void)state;
	/* No such instruction, or no Xen. */
	assert_false(gntshr_cpuid_domid(&domid));
	/* An older Xen, with fewer leaves or features. */
	be_pvh();
	fake.cpuid_leaves = 3;
	assert_false(gntshr_cpuid_domid(&domid));
	be_pvh();
	fake.cpuid_features &= ~XEN_HVM_CPUID_DOMID_PRESENT;
	assert_false(gntshr_cpuid_domid(&domid));
	assert_int_equal(domid, 99);
}

static void assert_refused(gntshr_handle *h, uint32_t domid)
{
	uint32_t refs[2] = { 55, 66 };

	fake_messages = 0;
	errno = 0;
	assert_null(gntshr_share_pages(h, domid, 2, refs, 0));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(gntshr_share_page_notify(h, domid, refs, 0, 0, -1));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(refs[0], 55);
	assert_int_equal(refs[1], 66);
	assert_int_equal(fake_messages, 2);
	assert_non_null(strstr(fake_message, " is this one"));
	assert_non_null(strstr(fake_message, "PV domain"));
	assert_int_equal(fake.listed + fake.mapped, 0);
}

static void assert_shared(gntshr_handle *h, uint32_t domid)
{
	uint32_t ref;
	void *page = gntshr_share_pages(h, domid, 1, &ref, 0);

	assert_non_null(page);
	assert_int_equal(fake.domid, domid);
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
}

static void this_domain_is_no_peer(void **state)
{
	gntshr_handle *h = gntshr_open(fake_logger(), 0);

	(void)state;
	be_pvh();
	assert_refused(h, OWN);
	assert_shared(h, OWN + 1);
	assert_refused(h, OWN);
	assert_shared(h, 0);
	fake.cpuid_domid = 0; /* a PVH dom0, on another handle */
	gntshr_close(h);
	h = gntshr_open(fake_logger(), 0);
	assert_refused(h, 0);
	gntshr_close(h);
}

static void a_pv_domain_is_its_own_peer(void **state)
{
	gntshr_handle *h = gntshr_open(fake_logger(), 0);

	(void)state;
	assert_shared(h, OWN);
	/* Its Xen runs in a domain of another one, which has that number. */
	be_pvh();
	fake.is_pv = true;
	assert_shared(h, OWN + 1);
	assert_shared(h, OWN);
	gntshr_close(h);
}

static void a_peer_is_asked_for_once(void **state)
{
	gntshr_handle *h = gntshr_open(fake_logger(), 0);
	unsigned int before;

	(void)state;
	be_pvh();
	assert_shared(h, 1);
	before = fake.cpuid_asked;
	assert_int_not_equal(before, 0);
	for (int i = 0; i < 10; i++)
		assert_shared(h, 1);
	assert_int_equal(fake.cpuid_asked, before);

	/* So it is for several, in turn. */
	for (uint32_t domid = OWN + 1; domid < OWN + 41; domid++)
		assert_shared(h, domid);
	before = fake.cpuid_asked;
	for (uint32_t domid = OWN + 1; domid < OWN + 41; domid++)
		assert_shared(h, domid);
	assert_int_equal(fake.cpuid_asked, before);

	/* However many there are, no one is taken for another. */
	for (uint32_t domid = 0; domid < 200; domid++) {
		if (domid != OWN)
			assert_shared(h, domid);
		assert_refused(h, OWN);
	}
	assert_shared(h, GNTSHR_DOMID_LAST);
	gntshr_close(h);
}

/* The number that was this domain's is somebody else's now. */
static void a_restored_domain_has_another(void **state)
{
	gntshr_handle *h = gntshr_open(fake_logger(), 0);

	(void)state;
	be_pvh();
	assert_refused(h, OWN);
	fake.cpuid_domid = OWN + 1;
	assert_shared(h, OWN);
	assert_refused(h, OWN + 1);
	gntshr_close(h);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		test(the_processor_tells),
		test(or_it_does_not),
		test(this_domain_is_no_peer),
		test(a_pv_domain_is_its_own_peer),
		test(a_peer_is_asked_for_once),
		test(a_restored_domain_has_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
