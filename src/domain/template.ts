// The code stands in base, because config, which may import nothing else, checks templates when it reads the mapping.
export { parseTemplate, renderTemplate, type Template, type TemplateValue } from '../base/template.ts';
