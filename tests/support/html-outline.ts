/** What an HTML parser makes of a page: each element with its attributes, and no text. */
export function htmlOutline(html: string): string[] {
  const outline: string[] = [];
  new HTMLRewriter()
    .on("*", {
      element: (element) => {
        const names = [...element.attributes].map(([name]) => name);
        outline.push(`${element.tagName} ${names.sort().join(" ")}`);
      },
    })
    .transform(html);
  return outline;
}

/** Every address that the elements of a page lead to or load. */
export function htmlLinks(html: string): string[] {
  const links: string[] = [];
  new HTMLRewriter()
    .on("[href], [src], [background], [action]", {
      element: (element) => {
        for (const name of ["href", "src", "background", "action"]) {
          const link = element.getAttribute(name);
          if (link !== null) links.push(unescaped(link));
        }
      },
    })
    .transform(html);
  return links;
}

/** The words that a reader of the page sees or hears, one after the other. */
export function htmlText(html: string): string[] {
  const pieces: string[] = [];
  let hidden = 0;
  new HTMLRewriter()
    .on("head, [aria-hidden]", {
      element: (element) => {
        hidden += 1;
        element.onEndTag(() => {
          hidden -= 1;
        });
      },
    })
    .on("*", {
      element: () => {
        pieces.push(" ");
      },
      text: ({ text }) => {
        if (hidden === 0) pieces.push(text);
      },
    })
    .transform(html);
  return unescaped(pieces.join("")).split(/\s+/).filter(Boolean);
}

function unescaped(text: string): string {
  const signs: Readonly<Record<string, string>> = {
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&#39;": "'",
    "&#x27;": "'",
    "&amp;": "&",
  };
  return text.replace(/&(?:lt|gt|quot|#39|#x27|amp);/g, (entity) => signs[entity] ?? entity);
}
