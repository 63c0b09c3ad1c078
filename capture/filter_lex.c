#include "capture/filter_lex.h"

#include <string.h>

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("._:/-+", c));
}

static const struct {
    const char *text;
    enum token_kind kind;
} symbols[] =
    {
        /* The longer ones first. */
        {"===", TOKEN_ALL_EQ}, {"!==", TOKEN_ANY_NE}, {"==", TOKEN_EQ},    {"!=", TOKEN_NE},
        {"~=", TOKEN_ANY_NE},  {"<=", TOKEN_LE},      {">=", TOKEN_GE},    {"&&", TOKEN_AND},
        {"||", TOKEN_OR},      {"..", TOKEN_DOTDOT},  {"<", TOKEN_LT},     {">", TOKEN_GT},
        {"!", TOKEN_NOT},      {"&", TOKEN_MASK},     {"(", TOKEN_LPAREN}, {")", TOKEN_RPAREN},
        {"{", TOKEN_LBRACE},   {"}", TOKEN_RBRACE},   {",", TOKEN_COMMA},
},
  words[] = {
      {"and", TOKEN_AND},
      {"or", TOKEN_OR},
      {"not", TOKEN_NOT},
      {"eq", TOKEN_EQ},
      {"ne", TOKEN_NE},
      {"lt", TOKEN_LT},
      {"le", TOKEN_LE},
      {"gt", TOKEN_GT},
      {"ge", TOKEN_GE},
      {"any_eq", TOKEN_EQ},
      {"all_ne", TOKEN_NE},
      {"all_eq", TOKEN_ALL_EQ},
      {"any_ne", TOKEN_ANY_NE},
      {"in", TOKEN_IN},
      {"any", TOKEN_ANY},
      {"all", TOKEN_ALL},
      {"bitwise_and", TOKEN_MASK},
};

static enum status fault(const struct token *t, const char *what, struct error *err)
{
    return error_set(err, STATUS_USAGE, "filter", "column %zu: %s", t->at + 1, what);
}

/* "..." or '...': up to the same quote, a backslash keeps the next byte. */
static enum status quoted(struct lexer *l, struct token *t, char quote, struct error *err)
{
    size_t i = l->at + 1;

    while (i < l->len && l->text[i] != quote)
        i += l->text[i] == '\\' ? 2 : 1;
    if (i >= l->len)
        return fault(t, "the quote does not end", err);
    t->kind = quote == '"' ? TOKEN_STRING : TOKEN_CHAR;
    t->len = i + 1 - l->at;
    return STATUS_OK;
}

static enum status slice(struct lexer *l, struct token *t, struct error *err)
{
    const char *end = memchr(l->text + l->at, ']', l->len - l->at);

    if (!l->is_behind_operand)
        return fault(t, "a slice belongs behind a field", err);
    if (!end)
        return fault(t, "the bracket does not close", err);
    t->kind = TOKEN_SLICE;
    t->text++;
    t->at++;
    t->len = (size_t)(end - t->text);
    l->at = (size_t)(end - l->text) + 1;
    return STATUS_OK;
}

static void word(struct lexer *l, struct token *t)
{
    size_t i = l->at;

    /* "1000..2000" is two words: of two points the word takes none. */
    while (i < l->len && is_word_char(l->text[i]) &&
           !(l->text[i] == '.' && i + 1 < l->len && l->text[i + 1] == '.'))
        i++;
    t->kind = TOKEN_WORD;
    t->len = i - l->at;
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
        if (strlen(words[k].text) == t->len && !memcmp(words[k].text, t->text, t->len))
            t->kind = words[k].kind;
}

enum status lexer_next(struct lexer *l, struct token *t, struct error *err)
{
    enum status st = STATUS_OK;

    while (l->at < l->len && strchr(" \t\r\n", l->text[l->at]))
        l->at++;
    *t = (struct token){.kind = TOKEN_END, .text = l->text + l->at, .at = l->at};
    if (l->at == l->len)
        return STATUS_OK;
    if (l->text[l->at] == '[')
        st = slice(l, t, err);
    else if (l->text[l->at] == '"' || l->text[l->at] == '\'')
        st = quoted(l, t, l->text[l->at], err);
    else {
        for (size_t i = 0; i < sizeof symbols / sizeof symbols[0] && !t->len; i++) {
            size_t len = strlen(symbols[i].text);
            if (len <= l->len - l->at && !memcmp(symbols[i].text, t->text, len)) {
                t->kind = symbols[i].kind;
                t->len = len;
            }
        }
        if (!t->len)
            word(l, t);
        if (!t->len)
            st = fault(t, "a character that means nothing here", err);
    }
    if (t->kind != TOKEN_SLICE)
        l->at += t->len;
    l->is_behind_operand = t->kind == TOKEN_WORD || t->kind == TOKEN_SLICE;
    return st;
}
