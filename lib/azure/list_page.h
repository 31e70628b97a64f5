/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list_page: reads one page of a list, of ARM ("value", "nextLink") or of Resource Graph ("data",
 * "totalRecords", …), row by row over the received bytes. The whole answer is never a tree, and
 * whoever reads decides after each row whether to go on now or in another turn.
 *
 * A page that is cut, or not what the service sends, is refused as a whole: the rows read before
 * are true, but they are not all. A row with a character or number that the strict parser refuses
 * is repaired (json_repair.h); a row over its cap is not read.
 */
#ifndef MDC_LIST_PAGE_H
#define MDC_LIST_PAGE_H

#include "lib/base/base.h"

#include <jansson.h>

enum list_kind { LIST_ARM, LIST_GRAPH };

/* Most rows that Resource Graph gives in a page. */
#define LIST_GRAPH_ROWS_MAX 1000
/* ARM's documents are whole, those of Graph are what we asked for. */
#define LIST_ROW_MAX(kind) ((kind) == LIST_GRAPH ? (size_t)256 * 1024 : (size_t)1024 * 1024)

struct list_page {
	enum list_kind kind;
	const char *begin, *at, *end;
	enum { LIST_BEFORE, LIST_IN_MEMBERS, LIST_IN_ROWS, LIST_OVER } place;
	int error;     /* why the reading ended */
	uint64_t rows; /* read so far */
	/* The rest counts once list_page_next() has given 0. */
	char *link;     /* nextLink or $skipToken; NULL: the last page */
	uint64_t total; /* Graph: rows in all pages */
	uint64_t count; /* Graph: rows in this page */
	bool truncated; /* Graph: rows are missing, or it does not promise that none is */
	bool first_row; /* none of the rows' array has been read */
	bool rows_seen, link_seen, total_seen, count_seen, truncated_seen;
};

/* Borrows the body, which has to stay until the end. */
void list_page_init(struct list_page *p, enum list_kind kind, const char *body, size_t len);
void list_page_fini(struct list_page *p);
/*
 * 1: *ret_row is the next row, an object, which the caller owns. 0: that was all, and the page is
 * sound. -EBADMSG: not a page of such a list. -EFBIG: a row over its cap. After an end it stays so.
 */
int list_page_next(struct list_page *p, json_t **ret_row) MDC_MUST_CHECK;
/* How far the reading got, in bytes. */
static inline size_t list_page_read(const struct list_page *p)
{
	return (size_t)(p->at - p->begin);
}

#endif
