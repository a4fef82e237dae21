/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attributes are padded to four bytes, and libmnl up to 1.0.4 leaves there what it finds: of what the
 * helper had in its memory before, nothing goes to the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <malloc.h>

#include "base/mem.h"
#include "host/nftlink.h"

#define NAME "sallyport" /* ten bytes with its end, so two are left */
enum { MESSAGES = 4000 };

static void padding_is_empty(const struct nlmsghdr *nlh)
{
    const struct nlattr *a = mnl_nlmsg_get_payload_offset(nlh, 4);
    const char *text = mnl_attr_get_payload(a);

    assert_string_equal(text, NAME);
    assert_int_equal(mnl_attr_get_payload_len(a), sizeof(NAME));
    for (size_t i = sizeof(NAME); i < MNL_ALIGN(sizeof(NAME)); i++)
        assert_int_equal(text[i], 0);
}

static void a_question_carries_nothing_of_the_stack(void **state)
{
    struct sp_nftlink_ask q;

    (void)state;
    memset(&q, 0xa5, sizeof(q));
    sp_nftlink_ask(&q, NFT_MSG_GETTABLE, NFPROTO_INET, SP_NFTLINK_ONE);
    mnl_attr_put_strz(q.nlh, NFTA_TABLE_NAME, NAME);
    padding_is_empty(q.nlh);
}

/* It grows several times on the way. */
static void a_batch_carries_nothing_of_the_heap(void **state)
{
    _cleanup_(sp_nftlink_batch_clear) struct sp_nftlink_batch b = {0};
    size_t size = 0, grown = 0;

    (void)state;
    (void)mallopt(M_PERTURB, 0xa5);
    for (size_t i = 0; i < MESSAGES; i++) {
        struct nlmsghdr *nlh = sp_nftlink_batch_put(&b, NFT_MSG_NEWTABLE, 0);
        assert_non_null(nlh);
        mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NAME);
        padding_is_empty(nlh);
        grown += b.size != size;
        size = b.size;
    }
    assert_true(grown > 1);
    sp_nftlink_batch_room(&b, size);
    mnl_attr_put_strz(sp_nftlink_batch_put(&b, NFT_MSG_NEWTABLE, 0), NFTA_TABLE_NAME, NAME);
    padding_is_empty(b.open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_carries_nothing_of_the_stack),
        cmocka_unit_test(a_batch_carries_nothing_of_the_heap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
