import type { ComponentChildren } from 'preact';

export interface Column {
  label: string;
  isNumber?: boolean;
  /** Takes a whole line of a card. */
  isWide?: boolean;
}

export interface TableProps {
  caption: string;
  columns: Column[];
  /** One cell per column. The first names the row. */
  rows: { key: string | number; cells: ComponentChildren[] }[];
}

/**
 * A table whose rows become cards on a phone. The roles keep its meaning for screen readers there, since `display: grid` takes it
 * from the elements.
 */
export function Table({ caption, columns, rows }: TableProps) {
  return (
    <table role="table" class="stacking">
      <caption class="visually-hidden">{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ label, isNumber }) => (
            <th key={label} role="columnheader" scope="col" class={isNumber ? 'number' : undefined}>{label}</th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map(({ key, cells }) => (
          <tr key={key} role="row">
            {cells.map((cell, index) => {
              const { label, isNumber, isWide } = columns[index]!;
              const options = { 'data-label': label, class: isNumber ? 'number' : isWide ? 'wide' : undefined };
              return index === 0
                ? <th key={label} role="rowheader" scope="row" {...options}>{cell}</th>
                : <td key={label} role="cell" {...options}>{cell}</td>;
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
