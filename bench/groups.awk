# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What functions of Linux 6.1 and Xen 4.17 are there for, from bench/profile's
# lines "INSTRUCTIONS SHARE NAME"; the sums. Those of the module are known as its
# own. The first group that fits counts.

function group(what, names) {
	title[++count] = what
	pattern[count] = names
}

BEGIN {
	group("all", "^all$")
	group("program and library", "^user space$")
	group("module", "^gntalloc:")
	group("Xen: entries of page tables that are written with traps",
		"^xen:.*(emulate|ro[-_]page[-_]fault|x86_insn|copy_from_guest|" \
		"do_page_fault|page_fault$|handle_exception)")
	group("Xen: all else", "^xen:")
	group("zeroing", "^clear_page")
	group("grant table", "gnttab|(get|put)_free_entr")
	group("slab", "slab|kmem_cache|kmalloc|kvmalloc|kfree|kvfree|obj_cgroup")
	group("memory groups and statistics",
		"memcg|mem_cgroup|lruvec|charge|cgroup|page_counter|protected_usage|" \
		"^__(mod|inc|dec)_(node|zone)|^mod_(node|zone)")
	group("page allocator",
		"free_unref|free_pcp|free_one_page|free_pages|release_pages|" \
		"freelist|alloc_pages|^split_page|check_new_page|prep_|rmqueue|" \
		"^__list_|watermark|policy_node|put_page|pagevec|lru_add")
	group("page tables",
		"^xen_|_xen_|pte|pmd|pud|p4d|pgd|mfn|pfn|lazy_mode|pgtable")
	group("mapping, map counts, unmapping",
		"map|vm_|vma|^mas_|^mab_|^mt_|mtree|rmap|tlb|dirty|swap_cache|" \
		"compound_head|PageHuge|accessed|mm_counter|apply_to_page_range|zap|brk")
	group("system calls",
		"SYSCALL|syscall|x64_sys|vfs_ioctl|user_mode|usermode|tomoyo|" \
		"apparmor|security|fget|fput|fdget")
	group("other", "")
}

$2 ~ /%$/ {
	name = $3 == "user" ? "user space" : $3
	for (i = 1; name !~ pattern[i]; i++)
		;
	sum[i] += $1
}

END {
	for (i = 1; i <= count; i++)
		if (sum[i] >= .5)
			printf "%10.0f  %s\n", sum[i], title[i]
}
