/* The words of a display filter. */
#ifndef CCALAB_CAPTURE_FILTER_LEX_H
#define CCALAB_CAPTURE_FILTER_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* a field or a literal */
    TOKEN_STRING, /* "...", with its quotes */
    TOKEN_CHAR,   /* 'x', with its quotes */
    TOKEN_SLICE,  /* [...], without the brackets */
    TOKEN_LPAREN,
    TOKEN_RPAREN,
    TOKEN_LBRACE,
    TOKEN_RBRACE,
    TOKEN_COMMA,
    TOKEN_DOTDOT,
    TOKEN_EQ,     /* == eq any_eq */
    TOKEN_NE,     /* != ne all_ne */
    TOKEN_ALL_EQ, /* === all_eq */
    TOKEN_ANY_NE, /* !== ~= any_ne */
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_MASK, /* & bitwise_and */
    TOKEN_IN,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_NOT,
    TOKEN_ANY,
    TOKEN_ALL,
};

struct token {
    enum token_kind kind;
    const char *text; /* in the filter */
    size_t len;
    size_t at; /* offset in the filter */
};

struct lexer {
    const char *text;
    size_t at, len;
    /* A slice begins with '[' directly behind an operand only. */
    bool is_behind_operand;
};

/* The next word. Errors: STATUS_USAGE; *token then is the place. */
CCALAB_MUST_USE enum status lexer_next(struct lexer *l, struct token *out, struct error *err);

#endif
