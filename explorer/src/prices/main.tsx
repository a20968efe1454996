import { mount } from '../frame/Frame';
import { Prices } from './Prices';
import './prices.css';

mount(<Prices />);
